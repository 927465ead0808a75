"""The decision: stories, laws, and what another engine says of it."""
