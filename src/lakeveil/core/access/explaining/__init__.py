"""Why somebody sees a column or not, the smallest change, and asking for it."""
