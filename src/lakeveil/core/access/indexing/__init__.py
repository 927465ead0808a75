"""The same decision for many columns and whole lakes at once: signatures and bitmaps."""
