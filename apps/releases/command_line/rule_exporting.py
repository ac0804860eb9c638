from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.caching.exceptions import CachingRefusal
from apps.caching.exporting import current_rule_set, rule_set
from apps.caching.exports.placement import Placement
from apps.caching.exports.source import RuleSet, Unsayable
from apps.caching.exports.targets import TARGETS
from apps.caching.rules import Combination
from apps.releases.command_line.rule_subcommands import RuleSubcommands
from apps.releases.selectors import release_numbered


class CannotExport(CachingRefusal):
    code = "cannot_export"


class ExportingSubcommands(RuleSubcommands):
    """Write cache rules as the configuration of a cache in front."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        export = add("export", self.export, help="print the rules as the configuration of a cache in front")
        export.add_argument("target", choices=TARGETS, metavar="TARGET", help=", ".join(TARGETS))
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
        text = TARGETS[target].write(_rules_of(release), _placement(options))
        if output is None:
            if not self.is_json:
                self.stdout.write(text, ending="")
            return {"target": target, "text": text}
        try:
            output.write_text(text)
        except OSError as error:
            raise CannotExport(f"{output} cannot be written: {error.strerror}.") from error
        self.say(f"Wrote {output}.")
        return {"target": target, "file": str(output)}


def _rules_of(number: int | None) -> RuleSet:
    if number is None:
        return current_rule_set()
    release = release_numbered(number)
    versions = release.rules.select_related("rule", "owner")
    return rule_set(versions, Combination(release.rule_combination), origin=f"release {number}")


def _placement(options: dict[str, Any]) -> Placement:
    given = {"purge_from": tuple(options["purge_from"])} if options["purge_from"] else {}
    try:
        return Placement(
            origin=options["origin"],
            listen=options["listen"],
            folder=options["folder"],
            has_xkey=options["xkey"],
            **given,
        )
    except Unsayable as error:
        raise CannotExport(str(error)) from error
