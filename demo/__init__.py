"""The demo: the whole photo path on real input, checked from the outside. `make demo` runs it."""
