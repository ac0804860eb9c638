"""What is found in a file: values that travel from extraction to fingerprints and rewriting."""

from dataclasses import dataclass, field

from apps.releases.manifest.format import Finding


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
    Whether it `can_be_named` by a fingerprint is a matter of how the name is written.
    """

    target: str
    at: int
    can_be_named: bool
    integrity: str = ""
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Critical:
    """A file that a page needs before it shows: what a Link header says of it.

    `suffix` is the query of its URL with its question mark; `parameters`, such as ("as", "style"), follow
    `rel`. `integrity` is the digest that its element says, and may say where it `may_be_guarded`.
    """

    target: str
    suffix: str
    rel: str
    parameters: tuple[tuple[str, str], ...] = ()
    may_be_guarded: bool = False
    integrity: str = ""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a file refers to. `inline_map` is where the base64 of a source map within it stands.

    Nothing may be rewritten of a file that is not understood, as a finding says then, nor of one whose name
    promises that its bytes never change: those are not `is_rewritable`.
    """

    references: tuple[Reference, ...] = ()
    guards: tuple[Guard, ...] = ()
    critical: tuple[Critical, ...] = ()
    findings: tuple[Finding, ...] = ()
    inline_map: tuple[int, int] | None = None
    is_rewritable: bool = True

    @property
    def targets(self) -> list[str]:
        """The paths that the file refers to, sorted, each once."""
        return sorted({r.target for r in self.references} | {each.target for each in self.critical})

    @property
    def named_targets(self) -> list[str]:
        """The paths that the file may refer to by fingerprinted names, so far as they have one."""
        found = {reference.target for reference in self.references if reference.at is not None}
        return sorted(found) if self.is_rewritable else []

    @property
    def map_target(self) -> str | None:
        """The path of the file's own source map, where it names one."""
        return next((reference.target for reference in self.references if reference.is_map), None)


@dataclass(slots=True)
class Collected:
    """What is being found in the file at `path`."""

    path: str
    references: list[Reference] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    critical: list[Critical] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    inline_map: tuple[int, int] | None = None

    def complain(self, kind: str, detail: str) -> None:
        self.findings.append(Finding(self.path, kind, detail))

    def finished(self) -> Extraction:
        return Extraction(
            tuple(self.references),
            tuple(self.guards),
            tuple(self.critical),
            tuple(self.findings),
            self.inline_map,
        )
