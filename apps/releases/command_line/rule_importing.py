"""`rule import`: drafts of cache rules out of a `_headers` file, or out of a site that runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.accounts.selectors import user_named
from apps.caching.command_line.rule_subcommands import RuleSubcommands
from apps.caching.exceptions import CachingRefusal
from apps.caching.importing.drafts import ImportedRule
from apps.caching.importing.headers_file import HeadersFileFault, rules_of_headers_file
from apps.caching.importing.seen import Answer, rules_of_answers
from apps.caching.rule_imports import in_room, save_imported, taken_slugs
from apps.caching.serialisation import as_json
from apps.releases.comparing.texts import visible
from apps.releases.running_sites import SiteUnreachable, ask, is_site, sample, site_fault
from apps.releases.selectors import channel_named, live_publication, manifest_reader_of, release_numbered

MOST_PATHS = 60
_MOST_BYTES = 1 << 20


class CannotImport(CachingRefusal):
    code = "cannot_import"


class ImportingSubcommands(RuleSubcommands):
    """Begin cache rules with what another system says or sends."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        parser = add(
            "import", self.import_rules, help="make drafts of rules out of a _headers file or a running site"
        )
        parser.add_argument("source", metavar="FILE|URL", help="a _headers file, or https://… of a site")
        parser.add_argument(
            "--path",
            action="append",
            default=[],
            metavar="PATH",
            help="ask the site for this; may be given again",
        )
        parser.add_argument(
            "--release",
            type=int,
            metavar="N",
            help=f"ask the site for {MOST_PATHS} files of this release (default: of what production serves)",
        )
        parser.add_argument(
            "--owner", metavar="USER", help="who answers for the rules (default: who imports)"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be saved, and save nothing"
        )
        super().add_subcommands(add)

    def import_rules(self, *, source: str, owner: str | None, dry_run: bool, **options: Any) -> object:
        actor = self.actor(options)
        is_of_site = is_site(source)
        rules = in_room(self._seen(source, **options) if is_of_site else _written(Path(source)))
        if not rules:
            raise CannotImport(
                f"{source} says nothing that a rule could.", next_step="Name a file with paths and headers."
            )
        save_imported(
            rules,
            source=source if is_of_site else Path(source).name,
            actor=actor,
            owner=user_named(owner) if owner else None,
            is_dry_run=dry_run,
        )
        for rule in rules:
            self.say(f"{visible(rule.slug)}: {visible(rule.content.name)}")
            for words in rule.left_out:
                self.say(f"  {visible(words)}")
        self.say(
            f"{len(rules)} would be saved as drafts." if dry_run
            else f"{len(rules)} saved as drafts: they ship with nothing until somebody makes them active."
        )  # fmt: skip
        return {
            "is_saved": not dry_run,
            "rules": [
                {"slug": rule.slug, "left_out": rule.left_out, **as_json(rule.content)} for rule in rules
            ],
        }

    def _seen(self, site: str, *, path: Sequence[str], release: int | None, **_: Any) -> list[ImportedRule]:
        if fault := site_fault(site):
            raise CannotImport(
                f"No file can be asked for there: {fault}.",
                next_step="Name the site as https://www.example.org.",
            )
        paths = [each.lstrip("/") for each in path] or _paths(release)
        answers: list[Answer] = []
        try:
            for asked, answer in ask(site, paths):
                if isinstance(answer, Answer):
                    answers.append(answer)
                else:
                    self.say(f"/{visible(asked)} {answer}: left out")
        except SiteUnreachable as error:
            raise CannotImport(
                f"{error}.", next_step="Nothing was saved. See that it is up, and run this again."
            ) from error
        return rules_of_answers(answers, source=site, taken=taken_slugs())


def _written(file: Path) -> list[ImportedRule]:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise CannotImport(f"{file} is larger than {_MOST_BYTES} bytes.", next_step="Import it in parts.")
        text = file.read_text(encoding="utf-8-sig")  # editors of Windows begin a file with a mark
        return rules_of_headers_file(text, taken=taken_slugs())
    except (OSError, UnicodeDecodeError) as error:
        raise CannotImport(
            f"{file} cannot be read: {error}.", next_step="Name a _headers file, or a site as https://…"
        ) from error
    except HeadersFileFault as error:
        raise CannotImport(
            str(error), next_step="Nothing was saved. Correct the line and run this again."
        ) from error


def _paths(number: int | None) -> list[str]:
    if number is not None:
        release = release_numbered(number)
    else:
        live = live_publication(channel_named("production"))
        if live is None:
            raise CannotImport(
                "production serves nothing yet, so there are no files to ask a site for.",
                next_step="Name some with --path, or a release with --release.",
            )
        release = live.release
    return sample(manifest_reader_of(release), MOST_PATHS)
