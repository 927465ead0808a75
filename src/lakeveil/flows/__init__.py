"""One story per file, read top to bottom; ports are keyword arguments."""
