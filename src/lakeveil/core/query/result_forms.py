"""The forms in which results lie on the store, told by how their locations end."""

from __future__ import annotations

CSV = ".csv"
"""Athena's: every value as text."""
TEXT = ".txt"
"""Athena's, of statements that answer lines."""
JSON_LINES = ".jsonl"
"""Of queries that came by Trino's protocol: a line for each row, every value with its type."""
