from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.caching.checking import broken_by_saving
from apps.caching.command_line.documents import document_of, read_document
from apps.caching.command_line.reports import break_lines, break_reports
from apps.caching.command_line.rule_subcommands import RuleSubcommands
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination, RuleState
from apps.caching.selectors import newest_versions
from apps.caching.services import (
    add_rule,
    add_version,
    choose_combination,
    move_rule,
    restore_version,
    set_state,
)
from apps.caching.wording import combination_in_words, mending_in_words


class WritingSubcommands(RuleSubcommands):
    """Write rules: each change is a new version, by the services that the pages call."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        save = add("save", self.save, help="save a rule written as JSON: a new one, or a new version")
        save.add_argument("file", type=Path, metavar="FILE", help="- reads what is piped in")
        self.with_reason(save, required=False)
        restore = self.with_slug(add("restore", self.restore, help="bring back what an earlier version said"))
        restore.add_argument("number", type=int, metavar="N", help="the version's number")
        self.with_reason(restore)
        state = self.with_slug(add("state", self.set_state, help="disable a rule, or enable it again"))
        state.add_argument("state", choices=[*RuleState], metavar="STATE", help=", ".join(RuleState))
        self.with_reason(state)
        order = self.with_slug(add("order", self.order, help="let a rule be tried before another one"))
        where = order.add_mutually_exclusive_group(required=True)
        where.add_argument("--before", default="", metavar="RULE", help="right before this one")
        where.add_argument("--last", action="store_true", help="after all others")
        combine = add("combine", self.combine, help="say what becomes of a file that several rules match")
        combine.add_argument(
            "combination",
            choices=[*Combination],
            metavar="HOW",
            help="first: the first that matches decides alone; merge: all that match count",
        )
        self.with_reason(combine)
        super().add_subcommands(add)

    def save(self, *, file: Path, reason: str, **options: Any) -> object:
        document, actor = read_document(file), self.actor(options)
        if not newest_versions().filter(rule__slug=document.slug).exists():
            version = add_rule(
                slug=document.slug, content=document.content, owner=document.owner, reason=reason, actor=actor
            )
        else:
            version = add_version(
                rule_slug=document.slug,
                content=document.content,
                owner=document.owner,
                based_on=document.based_on,
                reason=reason,
                actor=actor,
            )
        return self._say_saved(version)

    def restore(self, *, slug: str, number: int, reason: str, **options: Any) -> object:
        return self._say_saved(
            restore_version(rule_slug=slug, number=number, reason=reason, actor=self.actor(options))
        )

    def set_state(self, *, slug: str, state: str, reason: str, **options: Any) -> object:
        version = set_state(rule_slug=slug, state=RuleState(state), reason=reason, actor=self.actor(options))
        return self._say_saved(version)

    def order(self, *, slug: str, before: str, **options: Any) -> object:
        made = move_rule(rule_slug=slug, before=before, actor=self.actor(options))
        where = f"before {before}" if before else "last"
        done = f"is tried {where} in releases begun from now on" if made else "is there already"
        for version in made:
            self.say(f"{version.rule.slug} has number {version.order} now: version {version.number}.")
        self.say(f"{slug} {done}.")
        return {"rule": slug, "before": before or None, "versions": list(map(document_of, made))}

    def combine(self, *, combination: str, reason: str, **options: Any) -> object:
        wanted = Combination(combination)
        chosen = choose_combination(combination=wanted, reason=reason, actor=self.actor(options))
        words = combination_in_words(wanted)
        self.say(f"Where several rules match a file, {words}, in releases begun from now on.")
        return {"combination": chosen.combination, "reason": chosen.reason}

    def _say_saved(self, version: CacheRuleVersion) -> object:
        slug, number = version.rule.slug, version.number
        if breaks := break_reports(broken_by_saving(version)):
            for line in break_lines(breaks):
                self.say(line)
            self.say(
                f"→ A release with it does not pass its check. {mending_in_words(RuleState(version.state))}"
            )
        words = {
            RuleState.ACTIVE: "ships with releases begun from now on",
            RuleState.DRAFT: "is a draft: no release ships with it",
            RuleState.DISABLED: "disables the rule in releases begun from now on",
        }[RuleState(version.state)]
        self.say(f"Version {number} of {slug} {words}.")
        if number > 1:
            self.say(f"→ `scripts/manage rule restore {slug} {number - 1} --reason …` takes it back.")
        return document_of(version)
