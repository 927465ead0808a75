"""Who may grant, tag and alter what, and what a grant leaves of others."""
