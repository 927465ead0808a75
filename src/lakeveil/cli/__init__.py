"""The `lakeveil` command."""
