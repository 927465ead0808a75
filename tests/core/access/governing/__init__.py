"""Who may know of, tag and pass on what; grants merged and taken from."""
