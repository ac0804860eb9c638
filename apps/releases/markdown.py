"""What people have typed, as Markdown that shows it and does nothing else (CommonMark 0.31, 2.4 and 6)."""

import re

from apps.releases.comparing.texts import visible

_SPECIAL = re.compile(r"([\\`*_\[\]<>&~|#!])")
_AT_THE_BEGINNING = re.compile(r"^([-+=:]|\d{1,9}(?=[.)]))")


def inline(text: str) -> str:
    """Return `text` as one line of Markdown that reads as it was typed: no markup, no link, no HTML."""
    return _escaped(" ".join(text.split()))


def quoted(text: str) -> list[str]:
    """Return `text` as the lines of a block quotation, empty where there is no text."""
    return [f"> {_escaped(line.strip())}".rstrip() for line in text.strip().splitlines()]


def code(text: str) -> str:
    """Return `text` as a span of code, whichever backticks it holds."""
    words = visible(" ".join(text.split()))
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", words)), default=0))
    return f"{fence} {words} {fence}" if "`" in words else f"{fence}{words}{fence}"


def _escaped(line: str) -> str:
    escaped = _SPECIAL.sub(r"\\\1", visible(line))
    return _AT_THE_BEGINNING.sub(_marked, escaped)


def _marked(match: re.Match[str]) -> str:
    """Take its meaning from what would begin a list, a heading or a table: `1.` by its point."""
    begin = match[0]
    return f"{begin}\\" if begin.isdigit() else f"\\{begin}"
