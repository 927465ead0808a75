"""Who may see what: rooms as in `lakeveil.core.access`, on lakes at random that they share."""
