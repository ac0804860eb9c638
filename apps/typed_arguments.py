"""What a command takes for an argument, whichever part it belongs to. Pure."""

from argparse import ArgumentParser, ArgumentTypeError

from apps.texts import is_storable

_MOST = 2**63 - 1  # no database counts further


def expect(parser: ArgumentParser) -> None:
    """Let a parser refuse arguments without a type of their own, and numbers, that no database takes."""
    parser.register("type", None, text)
    parser.register("type", int, whole_number)


def text(typed: str) -> str:
    """Return an argument as it was typed. Raises `ArgumentTypeError` for what is no text."""
    if not is_storable(typed):
        raise ArgumentTypeError(f"{typed!r} is no text: its bytes are no UTF-8, or one is NUL")
    return typed


def whole_number(typed: str) -> int:
    """Return a number that was typed. Raises `ValueError`, and `ArgumentTypeError` for one without bounds."""
    number = int(typed)
    if abs(number) > _MOST:
        raise ArgumentTypeError(f"{number} is more than anything here has")
    return number
