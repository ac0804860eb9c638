from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.examples import MediaTypeOf, guess_media_type, run_examples
from apps.caching.exceptions import InvalidRule, UnknownRule
from apps.caching.models import CacheRule, CacheRuleVersion, RuleCombination
from apps.caching.rules import Combination, RuleContent, RuleState
from apps.caching.selectors import current_combination, rules_with
from apps.caching.serialisation import ShapeFault, as_json, parse_content
from apps.caching.validation import FieldFault, content_faults


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
    media_type_of: MediaTypeOf = guess_media_type,
) -> CacheRuleVersion:
    """Make a new rule, and `content` its version 1; see `add_version`."""
    require(actor, "caching.add_cacherule", to="make a cache rule")
    try:
        validate_slug(slug)
    except ValidationError as error:
        fault = FieldFault("slug", "Letters, digits, dashes and underscores only.")
        raise InvalidRule(slug, [fault]) from error
    if len(slug) > 60 or CacheRule.objects.filter(slug=slug).exists():
        raise InvalidRule(slug, [FieldFault("slug", "At most 60 characters, and no rule's name yet.")])
    checked = _checked(slug, 1, content, media_type_of)
    version = _write(
        CacheRule.objects.create(slug=slug), checked, number=1, owner=owner or actor, actor=actor
    )
    _record_version(version, actor)
    return version


@transaction.atomic
def add_version(
    *,
    rule_slug: str,
    actor: User,
    content: object,
    owner: User | None = None,
    media_type_of: MediaTypeOf = guess_media_type,
) -> CacheRuleVersion:
    """Give a rule a new wording; releases made from now on ship with it. Return the new version.

    `content` is a mapping in the shape of `RuleContent` (see `serialisation`). The examples are
    executed against all current rules with this one in its new wording. The owner stays unless named.
    Raises `Forbidden`, `UnknownRule`, `InvalidRule`, which lists every fault at its field.
    """
    require(actor, "caching.change_cacherule", to="change a cache rule")
    rule = CacheRule.objects.select_for_update().filter(slug=rule_slug).first()
    newest = rule.versions.select_related("owner").order_by("-number").first() if rule else None
    if rule is None or newest is None:
        raise UnknownRule(
            f"There is no cache rule {rule_slug!r}.", next_step="Choose one of the list, or make a new rule."
        )
    number = newest.number + 1
    checked = _checked(rule_slug, number, content, media_type_of)
    version = _write(rule, checked, number=number, owner=owner or newest.owner, actor=actor)
    _record_version(version, actor)
    return version


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


def _checked(slug: str, number: int, content: object, media_type_of: MediaTypeOf) -> RuleContent:
    """Return `content` parsed. Raises `InvalidRule` with everything that speaks against saving it."""
    try:
        parsed = parse_content(content)
    except ShapeFault as fault:
        raise InvalidRule(slug, [FieldFault(fault.field, f"It {fault.problem}.")]) from fault
    faults = content_faults(slug, parsed)
    # Examples can only be executed against a rule that makes sense, and that takes part.
    if not faults and parsed.state is not RuleState.DISABLED:
        faults = list(_failing_examples(slug, number, parsed, media_type_of))
    if faults:
        raise InvalidRule(slug, faults)
    return parsed


def _failing_examples(
    slug: str, number: int, content: RuleContent, media_type_of: MediaTypeOf
) -> Iterator[FieldFault]:
    results = run_examples(
        rules_with(slug, number, content),
        content.examples,
        media_type_of=media_type_of,
        preview_domain=settings.PREVIEW_DOMAIN,
        combination=current_combination(),
    )
    for place, result in enumerate(results):
        if not result.is_ok:
            yield FieldFault(f"examples[{place}]", f"{result.example.url} {result.words}.")


def _write(
    rule: CacheRule, content: RuleContent, *, number: int, owner: User, actor: User
) -> CacheRuleVersion:
    fields: dict[str, Any] = as_json(content)
    return CacheRuleVersion.objects.create(rule=rule, number=number, owner=owner, created_by=actor, **fields)


def _record_version(version: CacheRuleVersion, actor: User) -> None:
    record(
        actor=actor,
        action="cacherule.add_version",
        target=f"cache rule {version.rule.slug}",
        summary=f"Version {version.number} of the cache rule {version.rule.slug} was saved.",
        details={"version": version.number, "match": version.match, "policy": version.policy},
    )
