from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.caching.checking import broken_by, check_given
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.examples import MediaTypeOf, guess_media_type
from apps.caching.exceptions import InvalidRule, UnknownRule, VersionMoved
from apps.caching.models import CacheRule, CacheRuleVersion, RuleCombination
from apps.caching.ordering import moved
from apps.caching.rules import Combination, RuleContent, RuleState
from apps.caching.selectors import (
    as_rules,
    content_of,
    current_versions,
    newest_versions,
    restored_content,
    version_numbered,
)
from apps.caching.serialisation import as_json
from apps.caching.validation import FieldFault


@transaction.atomic
def ensure_default_rules(*, owner: User) -> list[CacheRuleVersion]:
    """Add the rules that the program ships with and the site lacks; return the versions made.

    A rule that is there stays as the site has it. They are the program's rules, so that no permission
    is asked for: `owner` is who answers for them from now on.
    """
    known = set(CacheRule.objects.filter(slug__in=DEFAULT_RULES).values_list("slug", flat=True))
    made = [
        _write(CacheRule.objects.create(slug=slug), content, number=1, owner=owner, actor=owner)
        for slug, content in DEFAULT_RULES.items()
        if slug not in known
    ]
    if made:
        record(
            actor=None,
            action="cacherule.ship",
            target="cache rules",
            summary=f"The cache rules that ship with the program were added; {owner} owns them.",
            details={"rules": [version.rule.slug for version in made]},
        )
    return made


@transaction.atomic
def add_rule(
    *,
    slug: str,
    actor: User,
    content: object,
    owner: User | None = None,
    reason: str = "",
    media_type_of: MediaTypeOf = guess_media_type,
) -> CacheRuleVersion:
    """Make a new rule, and `content` its version 1; see `add_version`."""
    require(actor, "caching.add_cacherule", to="make a cache rule")
    try:
        validate_slug(slug)
    except ValidationError as error:
        fault = FieldFault("slug", "Letters, digits, dashes and underscores only.")
        raise InvalidRule(slug, [fault]) from error
    if len(slug) > 60 or slug in _locked_rules():
        raise InvalidRule(slug, [FieldFault("slug", "At most 60 characters, and no rule's name yet.")])
    checked = _checked(slug, 1, content, owner or actor, media_type_of)
    rule = CacheRule.objects.create(slug=slug)
    version = _write(rule, checked, number=1, owner=owner or actor, actor=actor, reason=reason)
    _record_version(version, actor)
    return version


@transaction.atomic
def add_version(
    *,
    rule_slug: str,
    actor: User,
    content: object,
    owner: User | None = None,
    based_on: int | None = None,
    reason: str = "",
    media_type_of: MediaTypeOf = guess_media_type,
) -> CacheRuleVersion:
    """Give a rule a new wording; releases made from now on ship with it. Return the new version.

    `content` is a mapping in the shape of `RuleContent` (see `serialisation`). The examples are
    executed against all current rules with this one in its new wording. The owner stays unless named.
    `based_on` is the number of the version that the change began with. Raises `Forbidden`, `UnknownRule`,
    `VersionMoved` where that is not the newest any more, and `InvalidRule`, which lists every fault at its
    field.
    """
    require(actor, "caching.change_cacherule", to="change a cache rule")
    rule, newest = _locked_newest(rule_slug, based_on)
    number, whose = newest.number + 1, owner or newest.owner
    checked = _checked(rule_slug, number, content, whose, media_type_of)
    version = _write(rule, checked, number=number, owner=whose, actor=actor, reason=reason)
    _record_version(version, actor)
    return version


@transaction.atomic
def restore_version(
    *,
    rule_slug: str,
    number: int,
    reason: str,
    actor: User,
    based_on: int | None = None,
    media_type_of: MediaTypeOf = guess_media_type,
) -> CacheRuleVersion:
    """Give a rule the wording again that its version `number` had, as a new active version.

    It belongs to its owner of now, or to `actor` where that one has left. Its place among the rules stays
    what it is now. Raises what `add_version` does.
    """
    require(actor, "caching.change_cacherule", to="bring back a version of a cache rule")
    _refuse_without_reason(rule_slug, reason)
    rule, newest = _locked_newest(rule_slug, based_on)
    content = restored_content(version_numbered(rule_slug, number), newest=newest)
    owner = newest.owner if newest.owner.is_active else actor
    checked = _checked(rule_slug, newest.number + 1, as_json(content), owner, media_type_of)
    version = _write(
        rule, checked, number=newest.number + 1, owner=owner, actor=actor, reason=reason, again=number
    )
    _record_version(version, actor, f" It says what version {number} said: {version.reason}")
    return version


@transaction.atomic
def set_state(
    *, rule_slug: str, state: RuleState, reason: str, actor: User, based_on: int | None = None
) -> CacheRuleVersion:
    """Disable a rule, or enable it again, as a new version that says what the newest said.

    Disabling looks at nothing else, so that it is always possible. Raises what `add_version` does.
    """
    require(actor, "caching.change_cacherule", to="switch a cache rule on or off")
    _refuse_without_reason(rule_slug, reason)
    rule, newest = _locked_newest(rule_slug, based_on)
    content, number = replace(content_of(newest), state=state), newest.number + 1
    if state is not RuleState.DISABLED:
        content = _checked(rule_slug, number, as_json(content), newest.owner, guess_media_type)
    version = _write(rule, content, number=number, owner=newest.owner, actor=actor, reason=reason)
    _record_version(version, actor, f" It is {state} now: {version.reason}")
    return version


@transaction.atomic
def move_rule(*, rule_slug: str, before: str, actor: User) -> list[CacheRuleVersion]:
    """Let a rule be tried right before the rule `before`, or last where that is ""; return what was written.

    Only the rules whose number changes get a new version: most often the one that is moved. Raises
    `Forbidden`, `UnknownRule`, and `InvalidRule` where an example holds now and would not any more.
    """
    require(actor, "caching.change_cacherule", to="change the order of cache rules")
    rules = _locked_rules()
    newest = {version.rule.slug: version for version in newest_versions()}
    for slug in (rule_slug, before):
        if slug and slug not in newest:
            raise UnknownRule.named(slug)
    orders = moved({slug: version.order for slug, version in newest.items()}, rule_slug, before)
    changed = {slug: order for slug, order in orders.items() if order != newest[slug].order}
    if not changed:
        return []
    shipping = current_versions()
    as_before = as_rules(shipping)
    reason = f"moved {f'before {before}' if before else 'to the end'}"
    made = [
        _write(
            rules[slug],
            replace(content_of(newest[slug]), order=order),
            number=newest[slug].number + 1,
            owner=newest[slug].owner,
            actor=actor,
            reason=reason if slug == rule_slug else f"made room for {rule_slug}",
        )
        for slug, order in changed.items()
    ]
    if broken := broken_by(as_before, as_rules(current_versions()), shipping):
        raise InvalidRule(
            rule_slug,
            [
                FieldFault("order", f"{each.name}: {each.result.example.url} {each.result.words}.")
                for each in broken
            ],
        )
    record(
        actor=actor,
        action="cacherule.move",
        target=f"cache rule {rule_slug}",
        summary=f"The cache rule {rule_slug} was {reason}.",
        details={"orders": {version.rule.slug: version.order for version in made}},
    )
    return made


@transaction.atomic
def choose_combination(*, combination: Combination, reason: str, actor: User) -> RuleCombination:
    """Say what becomes of a file that several rules match, in the releases begun from now on.

    Raises `Forbidden`, and `InvalidRule` without a reason.
    """
    require(actor, "caching.change_cacherule", to="say how cache rules combine")
    if not reason.strip():
        fault = FieldFault("reason", "Say why, for whoever wonders about a header later.")
        raise InvalidRule("combination", [fault])
    chosen = RuleCombination.objects.create(combination=combination, reason=reason.strip(), chosen_by=actor)
    record(
        actor=actor,
        action="cacherule.choose_combination",
        target="cache rules",
        summary=f"Rules that match the same file now combine so: {combination}.",
        details={"combination": combination, "reason": chosen.reason},
    )
    return chosen


def _locked_rules() -> dict[str, CacheRule]:
    """Lock every rule until the transaction ends, so that names and places are decided one after another."""
    list(CacheRule.objects.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    # Read anew: what was waited for may be a rule that was not there when the lock was asked for.
    return {rule.slug: rule for rule in CacheRule.objects.all()}


def _locked_newest(slug: str, based_on: int | None) -> tuple[CacheRule, CacheRuleVersion]:
    rule = _locked_rules().get(slug)
    newest = newest_versions().select_related("created_by").filter(rule=rule).first() if rule else None
    if rule is None or newest is None:
        raise UnknownRule.named(slug)
    if based_on is not None and newest.number != based_on:
        raise VersionMoved(
            slug,
            f"{newest.created_by} has saved version {newest.number} of {slug} since you began with version"
            f" {based_on}.",
            next_step="Compare the two, and save yours again where it is still right.",
        )
    return rule, newest


def _refuse_without_reason(slug: str, reason: str) -> None:
    if not reason.strip():
        fault = FieldFault("reason", "Say why, for whoever wonders about a header later.")
        raise InvalidRule(slug, [fault])


def _checked(slug: str, number: int, content: object, owner: User, media_type_of: MediaTypeOf) -> RuleContent:
    """Return `content` parsed. Raises `InvalidRule` with everything that speaks against saving it."""
    parsed, check = check_given(slug, number, content, owner, media_type_of=media_type_of)
    if parsed is None or check.faults:
        raise InvalidRule(slug, check.faults)
    return parsed


def _write(
    rule: CacheRule,
    content: RuleContent,
    *,
    number: int,
    owner: User,
    actor: User,
    reason: str = "",
    again: int | None = None,
) -> CacheRuleVersion:
    fields: dict[str, Any] = as_json(content)
    words = f"Back to version {again}: {reason.strip()}" if again else reason.strip()
    return CacheRuleVersion.objects.create(
        rule=rule, number=number, owner=owner, created_by=actor, reason=words, **fields
    )


def _record_version(version: CacheRuleVersion, actor: User, more: str = "") -> None:
    record(
        actor=actor,
        action="cacherule.add_version",
        target=f"cache rule {version.rule.slug}",
        summary=f"Version {version.number} of the cache rule {version.rule.slug} was saved.{more}",
        details={"version": version.number, "match": version.match, "policy": version.policy}
        | ({"reason": version.reason} if version.reason else {}),
    )
