"""The Glue door, asked by real clients."""
