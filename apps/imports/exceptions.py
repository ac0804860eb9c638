import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from apps.refusals import Refusal

NAMED_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """A name in a source, what is wrong with it as a phrase (`is a broken link`), and what to do about it."""

    name: str
    reason: str
    remedy: str


class ImportRefusal(Refusal):
    code = "import_refused"


class FileRefused(ImportRefusal):
    """One file's own bytes cannot be had; the import goes on to find the others. `fault` says why."""

    code = "file_refused"

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{shown(fault.name)} {fault.reason}.", next_step=_sentence(fault.remedy))
        self.fault = fault


class ChannelMoved(ImportRefusal):
    """Something was published while the source was compared with what was live before."""

    code = "channel_moved"


class SourceRefused(ImportRefusal):
    """A source with faults: all of them are named, and nothing was imported.

    `as_json` has them one by one under `faults`; the message names the first 20.
    """

    code = "source_refused"

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=_reason))
        super().__init__(_message(self.faults), next_step=_next_step(self.faults))

    def as_json(self) -> dict[str, Any]:
        error: dict[str, Any] = super().as_json()["error"]
        faults = [
            {"name": shown(fault.name), "reason": fault.reason, "next": _sentence(fault.remedy)}
            for fault in self.faults
        ]
        return {"error": {**error, "faults": faults}}


def shown(name: str) -> str:
    """Return a file's name so that it can be printed and told from another.

    Escaped are bytes that are no UTF-8, what does not print, and in a name that is not in composed
    form everything beyond ASCII: it would look like the composed one.
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    if not unicodedata.is_normalized("NFC", text):
        text = text.encode("ascii", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _message(faults: Sequence[Fault]) -> str:
    if len(faults) == 1:
        return f"{shown(faults[0].name)} {faults[0].reason}."
    lines = [f"{len(faults)} names in the source cannot be imported:", *_groups(faults[:NAMED_FAULTS])]
    if len(faults) > NAMED_FAULTS:
        lines.append(f"  and {len(faults) - NAMED_FAULTS} more (--json names all)")
    return "\n".join(lines)


def _groups(faults: Sequence[Fault]) -> Iterator[str]:
    """Yield the lines of each reason: what is wrong, what to do, and below it the names."""
    for (reason, remedy), group in groupby(faults, key=_reason):
        yield f"  {reason} → {remedy}:"
        yield from (f"      {shown(fault.name)}" for fault in group)


def _next_step(faults: Sequence[Fault]) -> str:
    step = _sentence(faults[0].remedy) if len(faults) == 1 else "Mend them all."
    return f"{step} Then run the same command again; nothing was imported."


def _reason(fault: Fault) -> tuple[str, str]:
    return fault.reason, fault.remedy


def _sentence(phrase: str) -> str:
    return f"{phrase[:1].upper()}{phrase[1:]}."
