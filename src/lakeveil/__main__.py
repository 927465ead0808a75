"""`python -m lakeveil` is the `lakeveil` command."""

from lakeveil.cli.main import run

run()
