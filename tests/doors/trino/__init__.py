"""The Trino door, with Trino's own client and by hand."""
