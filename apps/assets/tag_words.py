"""What an act of tagging did, in numbers and in words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from apps.texts import listed


@dataclass(frozen=True, slots=True)
class TagCounts:
    """How many files each tag was given to, and from how many it was taken."""

    given: Mapping[str, int]
    taken: Mapping[str, int]

    @classmethod
    def of(cls, given: Iterable[str], taken: Iterable[str]) -> "TagCounts":
        """Count names, one for each file."""
        return cls(dict(sorted(Counter(given).items())), dict(sorted(Counter(taken).items())))

    def __bool__(self) -> bool:
        return bool(self.given or self.taken)

    @property
    def words(self) -> str:
        """A sentence: "The tag sale was given to 2 files; the tag hero was taken from one file."."""
        return self._words("was")

    @property
    def words_before(self) -> str:
        """The same of what is not done yet: "The tag sale would be given to 2 files."."""
        return self._words("would be")

    def as_json(self) -> dict[str, dict[str, int]]:
        return {"given": dict(self.given), "taken": dict(self.taken)}

    def _words(self, verb: str) -> str:
        done = [*_deeds(self.given, "given to"), *_deeds(self.taken, "taken from")]
        parts = [
            f"tag{'' if len(names) == 1 else 's'} {listed(names)}"
            f" {verb if len(names) == 1 else verb.replace('was', 'were')} {deed} {files_in_words(count)}"
            for names, deed, count in done
        ]
        return f"The {'; the '.join(parts)}." if parts else "Nothing changes."


def _deeds(counts: Mapping[str, int], deed: str) -> Iterator[tuple[list[str], str, int]]:
    """Yield the tags of as many files together, the most files first."""
    for count in sorted(set(counts.values()), reverse=True):
        yield [name for name, files in counts.items() if files == count], deed, count


def files_in_words(count: int) -> str:
    return "one file" if count == 1 else f"{count:,} files"
