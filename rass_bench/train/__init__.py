"""How the reference models learn."""
