"""Is this number true? From the hashes of a run's files to running the model again."""
