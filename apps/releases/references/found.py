"""What is found in a file: values that travel from extraction to fingerprints and rewriting."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reference:
    """A file names `target`, a path of the site.

    `at` is the place, in characters, before which a fingerprint has to be inserted so that it names the
    target's fingerprinted form; None where the name has no extension in sight. `is_map` marks the
    source map of the file itself.
    """

    target: str
    at: int | None
    is_map: bool = False


@dataclass(frozen=True, slots=True)
class Guard:
    """An element that loads `target` and may say its digest (Subresource Integrity).

    Without an `integrity`, one is inserted at the place `at`; else its value stands from `start` to `end`.
    """

    target: str
    at: int
    integrity: str = ""
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Critical:
    """A file that a page needs before it shows: what a Link header says of it.

    `suffix` is the query of its URL with its question mark; `parameters`, such as ("as", "style"), follow
    `rel`; `has_integrity` says that its element may carry a digest.
    """

    target: str
    suffix: str
    rel: str
    parameters: tuple[tuple[str, str], ...] = ()
    has_integrity: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a file that its author will want to know: `kind` is a word for programs."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a file refers to. `inline_map` is where the base64 of a source map within it stands.

    Nothing of a file that `is_readable` denies may be rewritten; a finding says why.
    """

    references: tuple[Reference, ...] = ()
    guards: tuple[Guard, ...] = ()
    critical: tuple[Critical, ...] = ()
    findings: tuple[Finding, ...] = ()
    inline_map: tuple[int, int] | None = None
    is_readable: bool = True

    @property
    def targets(self) -> list[str]:
        """The paths that the file refers to, sorted, each once."""
        return sorted({reference.target for reference in self.references})

    @property
    def map_target(self) -> str | None:
        """The path of the file's own source map, where it names one."""
        return next((reference.target for reference in self.references if reference.is_map), None)


@dataclass(slots=True)
class Collected:
    """What is being found."""

    references: list[Reference] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    critical: list[Critical] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    inline_map: tuple[int, int] | None = None

    def finished(self) -> Extraction:
        return Extraction(
            tuple(self.references),
            tuple(self.guards),
            tuple(self.critical),
            tuple(self.findings),
            self.inline_map,
        )
