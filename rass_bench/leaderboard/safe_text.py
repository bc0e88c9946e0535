"""Names from strangers, made harmless in each format that a table is written in."""

from __future__ import annotations

import re

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet compute a cell, full-width forms included (OWASP, CSV Injection)."""

_MARKDOWN = re.compile(r"[\\`*_\[\]!|~$]")


def one_line(text: str) -> str:
    r"""The text with everything that does not print (line ends, terminal codes) spelled out.

    A line end becomes the two letters ``\n``, a right-to-left mark ``\u200f``.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def terminal_text(text: str) -> str:
    """The text for a terminal, which obeys nothing in it; its line ends stay."""
    return "\n".join(map(one_line, text.splitlines()))


def csv_text(text: str) -> str:
    """The text for a cell of a CSV file, which no spreadsheet takes for a formula.

    A text that begins like one gets an apostrophe in front, which spreadsheets do not show.
    """
    return f"'{one_line(text)}" if text.startswith(FORMULA_STARTS) else one_line(text)


def markdown_code(text: str) -> str:
    """The text as a Markdown code span, in which nothing but a backtick means anything."""
    return f"`{one_line(text).replace('`', chr(39))}`"


def markdown_text(text: str) -> str:
    """The text for a cell of a Markdown table: shown as it is, neither markup nor HTML nor link."""
    escaped = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = _MARKDOWN.sub(r"\\\g<0>", escaped)
    return escaped.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")
