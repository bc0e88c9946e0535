"""Figures for papers: each plot of a report drawn by matplotlib, as PNG and SVG."""
