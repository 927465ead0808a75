"""Whole lakes at once: the same as one decision after the other."""
