"""Statements of SQL, each run as its principal: shown, defined, written, and put on record."""
