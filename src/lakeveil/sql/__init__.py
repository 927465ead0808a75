"""SQL as its users write it, and the SQL that is run instead. No input or output."""
