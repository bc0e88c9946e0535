"""Text of strangers for LaTeX: shown as it is, no command, and set by every engine."""

from __future__ import annotations

import unicodedata

from rass_bench.leaderboard.safe_text import one_line

_SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{\char34}",
    # After the end of a row these would be its options.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "²": r"$^2$",
    "\u2018": "`",
    "\u2019": "'",
    "°": r"$^\circ$",
    "µ": r"$\mu$",
    "“": "``",
    "”": "''",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
}

_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
"""Commands that set a mark on a letter, by the mark."""


_LIGATURES = frozenset({"--", "''", "``", ",,", "?`", "!`"})
"""Letters that TeX's fonts draw as another sign when they stand together."""


def latex_text(text: str) -> str:
    """The text for the body of a LaTeX document.

    Accents and common signs become commands that need no package. Other letters outside ASCII,
    which would stop pdfLaTeX, become their code point: ``U+4E2D``.
    """
    line = one_line(text)
    return "".join(
        _letter(letter) + ("{}" if (letter + following)[:2] in _LIGATURES else "")
        for letter, following in zip(line, [*line[1:], ""], strict=False)
    )


def latex_comment(text: str) -> str:
    """The text for a comment, which ends with its line."""
    return one_line(text).encode("ascii", "backslashreplace").decode()


def _letter(letter: str) -> str:
    if letter in _SIGNS:
        return _SIGNS[letter]
    if letter.isascii():
        return letter
    parts = unicodedata.normalize("NFD", letter)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return f"U+{ord(letter):04X}"
