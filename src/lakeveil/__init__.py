"""Lakeveil: photos are released with their faces gone, tables are shared by tag."""

__version__ = "0.1.0"
