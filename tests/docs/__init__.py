"""The documentation is run like code."""
