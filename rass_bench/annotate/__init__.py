"""How people label real low-quality photos, and whether their labels hold."""
