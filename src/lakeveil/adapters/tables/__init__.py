"""The tables of our state, as the newest migration leaves them.

Kept to what SQLite and PostgreSQL both do. Times are UTC seconds since the epoch.
"""
