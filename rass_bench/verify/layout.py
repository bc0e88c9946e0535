"""The files of a bundle beside those of a run's folder."""

MANIFEST = "manifest.json"
"""The data that were scored, with their hashes and recipes."""

DEFINITION = "dataset.yaml"
"""The definition of the data set."""

COMMANDS = "COMMANDS.txt"
"""How to get the code and the data, and to repeat and check the run."""
