"""What every part says in text, and asks of it. Pure."""

import re
from collections.abc import Sequence

_NEVER_STORED = re.compile("[\0\ud800-\udfff]")


def listed(words: Sequence[str], *, last: str = " and ") -> str:
    """Return "a", "a and b", "a, b and c"; "" for none."""
    return last.join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def is_storable(text: str) -> bool:
    """Say whether every database keeps it: PostgreSQL takes no NUL, none takes half of a surrogate pair."""
    return not _NEVER_STORED.search(text)
