"""Queries as records: their states, the workgroups they run in, what they cost."""
