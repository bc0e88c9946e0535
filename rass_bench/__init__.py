"""rass-bench: how well segmentation and restoration models hold up on low-quality photos."""

__version__ = "0.1.0"
