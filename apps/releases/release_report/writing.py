"""A report as Markdown, in which what people typed does nothing, and as JSON."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from apps.releases.markdown import code, inline, quoted
from apps.releases.release_report.parts import Field, PublicationLine, ReleaseReport

_MARKS = {True: "✓", False: "✗", None: "·"}
_SIGNS = {"added": "\\+", "changed": "\\~", "removed": "\N{MINUS SIGN}"}
_NONE = "None."
_DASH = "\N{EN DASH}"


def as_json(report: ReleaseReport) -> dict[str, Any]:
    """Return a report as what JSON knows; digests as all documents have them, null where there is none."""
    document = asdict(report)
    for part in (document, *document["approvals"]):
        part["digest"] = f"sha256:{part['digest']}" if part["digest"] else None
    return document


def as_markdown(report: ReleaseReport) -> str:
    """Return a report as Markdown that any reader of it shows."""
    digest = code(f"sha256:{report.digest}") if report.digest else "not built"
    lines = [
        f"# Release {report.release}: {inline(report.title)}",
        "",
        f"{report.state.capitalize()}, for channel {inline(report.channel)}. Digest: {digest}.",
        *_section("Brief", _fields(report.brief)),
        *_section("What it was built on", _fields(report.assumptions)),
        *_section(f"Changes: {report.counts.replace('~', chr(92) + '~')}", _changes(report)),
        *_section("Approvals", _approvals(report)),
        *_section("Conversation", _comments(report)),
        *_section("Checks", _checks(report)),
        *_section("Publications", _publications(report.publications)),
        *_section("Measured", _fields(report.metrics)),
        *_section("What was done", _entries(report)),
        *_section("Commands", _commands(report)),
    ]
    return "\n".join(lines) + "\n"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    yield from list(lines) or [_NONE]


def _fields(fields: Iterable[Field]) -> Iterator[str]:
    """Yield names with their words: short ones in a line, the others quoted below."""
    for number, field in enumerate(fields):
        if number:
            yield ""
        if "\n" in field.words.strip():
            yield from (f"**{field.name}**", "", *quoted(field.words))
        else:
            yield f"**{field.name}:** {inline(field.words) or _DASH}"


def _changes(report: ReleaseReport) -> Iterator[str]:
    for change in report.changes:
        sizes = [f"{size:,}" for size in (change.old_size, change.new_size) if size is not None]
        yield f"- {_SIGNS[change.kind]} {code(change.path)} ({' → '.join(sizes)} bytes)"
    if report.unnamed:
        yield f"- and {report.unnamed:,} more"
    for redirect in report.redirects:
        leads = (
            f"leads to {code(redirect.target)} ({redirect.status})" if redirect.target else "leads nowhere"
        )
        yield f"- ↪ {code(redirect.source)} {leads}"


def _approvals(report: ReleaseReport) -> Iterator[str]:
    for each in report.approvals:
        of = "" if each.holds else ", of an earlier digest"
        yield f"- {inline(each.approver)}, {each.at}{of}: {code(each.digest)}"


def _comments(report: ReleaseReport) -> Iterator[str]:
    for each in report.comments:
        of = f" of {code(each.path)}" if each.path else ""
        yield f"- {inline(each.author)}, {each.at}, {each.deed}{of}: {inline(each.words)}"


def _checks(report: ReleaseReport) -> Iterator[str]:
    for each in report.checks:
        yield f"- {_MARKS[each.is_good]} {inline(each.name)}: {inline(each.words)}"
        yield from (f"  - {inline(finding)}" for finding in each.findings)
        if each.override:
            yield f"  - **Overridden by {inline(each.override)}**"


def _publications(publications: Iterable[PublicationLine]) -> Iterator[str]:
    for each in publications:
        yield f"- **{inline(each.tag)}**, {each.at}: {inline(each.deed)}.{_marks(each)}"
        if each.reason:
            yield f"  Reason: {inline(each.reason)}"
        yield f"  Seal: {code(each.seal) if each.seal else 'none'}, {inline(each.fault) or 'verified'}."
        yield f"  Receipt: {inline(each.receipt)}."


def _marks(publication: PublicationLine) -> str:
    emergency, freeze = publication.emergency, publication.freeze
    return (
        f" **Emergency, without the approvals that it needed: {inline(emergency)}.**" if emergency else ""
    ) + (f" **In a freeze: {inline(freeze)}.**" if freeze else "")


def _entries(report: ReleaseReport) -> Iterator[str]:
    for entry in report.entries:
        yield f"- {entry.at}, {inline(entry.actor)}: {inline(entry.words)}"


def _commands(report: ReleaseReport) -> Iterator[str]:
    for number, each in enumerate(report.commands):
        if number:
            yield ""
        yield from (f"{each.purpose}:", "", "```sh", each.command, "```")
