"""Hiding faces: outlines, the veil, the other styles."""
