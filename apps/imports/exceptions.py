import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.refusals import Refusal

NAMED_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """A name in a source, and what is wrong with it as a phrase: `is a broken link`."""

    name: str
    reason: str


class ImportRefusal(Refusal):
    code = "import_refused"


class FileRefused(ImportRefusal):
    """One file's own bytes cannot be had; the import goes on to find the others."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class SourceRefused(ImportRefusal):
    """A source with faults: all of them are named, and nothing was imported."""

    code = "source_refused"

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(
            _in_words(self.faults),
            next_step="Rename, mend or remove them, and run the same command again. Nothing was imported.",
        )

    def as_json(self) -> dict[str, Any]:
        error = super().as_json()["error"]
        faults = [{"name": shown(fault.name), "reason": fault.reason} for fault in self.faults]
        return {"error": {**error, "faults": faults}}


def shown(name: str) -> str:
    """Return a file's name as it can be printed: bytes that are no UTF-8 are escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _in_words(faults: Sequence[Fault]) -> str:
    names: dict[str, list[str]] = defaultdict(list)
    for fault in faults[:NAMED_FAULTS]:
        names[fault.reason].append(shown(fault.name))
    lines = [f"  {name} {reason}" for reason, group in names.items() for name in group]
    if len(faults) > NAMED_FAULTS:
        lines.append(f"  and {len(faults) - NAMED_FAULTS} more (--json names all)")
    count = f"{len(faults)} name{'s' if len(faults) > 1 else ''}"
    return "\n".join([f"{count} in the source cannot be imported:", *lines])
