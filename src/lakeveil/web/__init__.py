"""The HTTP server: health, metrics, and the doors mounted beside them."""
