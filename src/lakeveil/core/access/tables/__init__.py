"""Definitions of tables as clients write them, and what is shown of them to whom."""
