"""Why, and the smallest changes there are."""
