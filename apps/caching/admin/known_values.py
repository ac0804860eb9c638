"""What the form of a rule suggests: values that files have. Parts above, which know files, say them."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownValues:
    """Values that some files have, by the field that asks for them: some dozens each at the most."""

    folders: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


type _Asked = Callable[[], KnownValues]

_REGISTERED: list[_Asked] = []


def register_known_values(asked: _Asked) -> None:
    """Let the form suggest what `asked()` returns: in a few queries, however large the site is."""
    _REGISTERED.append(asked)


def known_values() -> KnownValues:
    """Return what was registered last; nothing where no part knows files."""
    return _REGISTERED[-1]() if _REGISTERED else KnownValues()
