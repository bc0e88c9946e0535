"""Whether label maps hold: their shape, their agreement, their quality."""
