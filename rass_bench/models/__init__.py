"""What is measured: segmenters, restorers and their adapters."""
