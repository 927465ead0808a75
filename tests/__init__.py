"""Tests mirror `src/lakeveil`; real servers for them are in `tests.stack_fixture`."""
