"""The demo's own parts; whether it runs from end to end is tested in `test_run`."""
