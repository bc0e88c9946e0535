"""How a data set becomes a folder that others can load, check and trust, and gets to the Hub."""
