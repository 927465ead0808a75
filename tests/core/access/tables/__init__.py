"""Definitions of tables, and what is shown of them."""
