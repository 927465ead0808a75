"""Changes as values: applied, spoken, and what each would expose."""
