"""The main flow: resolve, restore, predict, score, record."""
