"""Statements of SQL, run from the queue to their end over a real store, state and engine."""
