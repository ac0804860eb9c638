"""The words in which workers write down what they counted, and in which that is read."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

FOLDER = "counts"
FORMAT = 1
MOST_LINES = 20_000
_MOST = 2**31 - 1  # of a publication's and a version's number
_MOST_COUNTED = 2**53
_LONGEST_NAME = 60


class BrokenCounts(ValueError):
    """What cannot be read as counts."""


class Counted(NamedTuple):
    """What was answered under a version of a rule, in a publication of a channel, within an hour (UTC)."""

    channel: str
    publication: int
    rule: str
    version: int
    hour: datetime
    requests: int
    body_bytes: int
    not_modified: int
    errors: int


def dump(lines: Iterable[Counted]) -> bytes:
    """Return the words for these."""
    words = [[*line[:4], int(line.hour.timestamp()), *line[5:]] for line in lines]
    return json.dumps({"format": FORMAT, "counts": words}, separators=(",", ":")).encode()


def parse(content: bytes) -> list[Counted]:
    """Read such words. Raises `BrokenCounts` for anything else."""
    try:
        words = json.loads(content)
        if words["format"] != FORMAT:
            raise BrokenCounts(f"its format is {words['format']}, this program reads {FORMAT}")
        if len(words["counts"]) > MOST_LINES:
            raise BrokenCounts(f"it has {len(words['counts'])} lines")
        return [_line(line) for line in words["counts"]]
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BrokenCounts(f"it has no counts that can be read: {error!r}") from error


def _line(words: list[object]) -> Counted:
    channel, publication, rule, version, hour, *numbers = words
    requests, body_bytes, not_modified, errors = (_number(each, _MOST_COUNTED) for each in numbers)
    moment = datetime.fromtimestamp(_number(hour, _MOST * 3), UTC)
    if not_modified + errors > requests or moment != moment.replace(minute=0, second=0):
        raise ValueError(words)
    return Counted(
        _name(channel), _number(publication, _MOST), _name(rule), _number(version, _MOST), moment,
        requests, body_bytes, not_modified, errors,
    )  # fmt: skip


def _name(word: object) -> str:
    if not isinstance(word, str) or not 0 < len(word) <= _LONGEST_NAME or not word.isprintable():
        raise ValueError(word)
    return word


def _number(word: object, most: int) -> int:
    if type(word) is not int or not 0 <= word <= most:
        raise ValueError(word)
    return word
