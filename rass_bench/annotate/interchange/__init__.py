"""Masks that other tools made, in; label maps for other tools, out."""
