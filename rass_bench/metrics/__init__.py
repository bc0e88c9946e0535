"""How a prediction is scored."""
