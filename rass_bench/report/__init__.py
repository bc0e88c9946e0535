"""The report: boards and runs become one self-contained HTML page, figures and LaTeX tables."""
