from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.caching.command_line.rule_subcommands import RuleSubcommands
from apps.caching.exceptions import CachingRefusal
from apps.caching.exporting import current_rule_set, rule_set
from apps.caching.exports.headers_file import NAME, headers_file
from apps.caching.exports.placement import Placement
from apps.caching.exports.source import RuleSet, Unsayable
from apps.caching.exports.targets import TARGETS
from apps.caching.rules import Combination
from apps.releases.selectors import channel_named, live_publication, manifest_reader_of, release_numbered

_TARGETS = (*TARGETS, NAME)


class CannotExport(CachingRefusal):
    code = "cannot_export"


class ExportingSubcommands(RuleSubcommands):
    """Write cache rules as the configuration of a cache in front."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        export = add("export", self.export, help="print the rules as the configuration of a cache in front")
        export.add_argument("target", choices=_TARGETS, metavar="TARGET", help=", ".join(_TARGETS))
        export.add_argument(
            "--release",
            type=int,
            metavar="N",
            help="the rules of this release (default: as they ship now)",
        )
        export.add_argument("--output", type=Path, metavar="FILE", help="write this file instead")
        export.add_argument(
            "--origin", metavar="HOST:PORT", help="where this site answers (default: %(default)s)"
        )
        export.add_argument("--listen", help="where nginx listens (default: %(default)s)")
        export.add_argument("--folder", help="where nginx keeps copies (default: %(default)s)")
        export.add_argument(
            "--purge-from", action="append", metavar="ADDRESS", help="who may purge; may be given again"
        )
        export.add_argument("--xkey", action="store_true", help="Varnish has vmod xkey")
        defaults = Placement()
        export.set_defaults(origin=defaults.origin, listen=defaults.listen, folder=defaults.folder)
        super().add_subcommands(add)

    def export(self, *, target: str, release: int | None, output: Path | None, **options: Any) -> object:
        parts = _headers_of(release) if target == NAME else iter([_written(target, release, options)])
        if output is None and self.is_json:
            return {"target": target, "text": "".join(parts)}
        if output is None:
            for part in parts:
                self.stdout.write(part, ending="")
            return None
        try:
            with output.open("w") as file:
                file.writelines(parts)
        except OSError as error:
            raise CannotExport(
                f"{output} cannot be written: {error.strerror}.", next_step="Name another file."
            ) from error
        self.say(f"Wrote {output}.")
        return {"target": target, "file": str(output)}


def _written(target: str, number: int | None, options: dict[str, Any]) -> str:
    try:
        return TARGETS[target].write(_rules_of(number), _placement(options))
    except Unsayable as error:
        raise CannotExport(str(error)) from error


def _headers_of(number: int | None) -> Iterator[str]:
    """Return the lines of the file for a release that was built; without a number for what is live.

    One after the other: a file of a million paths is larger than what fits into memory.
    """
    if number is None:
        live = live_publication(channel_named("production"))
        if live is None:
            raise CannotExport(
                "production serves nothing yet, so no file has headers.",
                next_step="Name a release that was submitted, with --release.",
            )
        number = live.release_id
    manifest = manifest_reader_of(release_numbered(number))
    files = ((entry.path, manifest.header_sets[entry.header_set]) for entry in manifest.entries())
    return (f"{line}\n" for line in headers_file(_rules_of(number), files))


def _rules_of(number: int | None) -> RuleSet:
    if number is None:
        return current_rule_set()
    release = release_numbered(number)
    versions = release.rules.select_related("rule", "owner")
    return rule_set(versions, Combination(release.rule_combination), origin=f"release {number}")


def _placement(options: dict[str, Any]) -> Placement:
    given = {"purge_from": tuple(options["purge_from"])} if options["purge_from"] else {}
    return Placement(
        origin=options["origin"],
        listen=options["listen"],
        folder=options["folder"],
        has_xkey=options["xkey"],
        **given,
    )
