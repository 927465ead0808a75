"""Changes of access as values: applied, put into words, and what each would expose."""
