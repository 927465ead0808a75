"""One migration per file, named for what it adds."""
