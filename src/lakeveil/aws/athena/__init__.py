"""Athena's API over governed queries: one file for each of its subjects."""
