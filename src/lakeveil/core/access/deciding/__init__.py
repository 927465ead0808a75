"""The decision: what each grant adds, their union, and what it says."""
