"""A rule between its content and the forms that it is typed into, and faults at their fields."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from django import forms
from django.http import QueryDict

from apps.accounts.models import User
from apps.caching.admin.forms import NO_RULE, BypassFormSet, ExampleFormSet, RuleForm
from apps.caching.admin.known_values import KnownValues
from apps.caching.admin.quantities import LinesField
from apps.caching.models import CacheRuleVersion
from apps.caching.ordering import neighbours
from apps.caching.rules import RuleContent
from apps.caching.serialisation import as_json
from apps.caching.validation import FieldFault

_MATCH = (
    "paths",
    "folders",
    "tags",
    "extensions",
    "media_types",
    "min_size_bytes",
    "max_size_bytes",
    "expressions",
)
_POLICY = (
    "visibility",
    "browser_ttl_seconds",
    "shared_ttl_seconds",
    "stale_while_revalidate_seconds",
    "stale_if_error_seconds",
    "is_immutable",
    "must_revalidate",
    "is_trusted_active_content",
    "cdn_ttl_seconds",
    "vary",
    "surrogate_keys",
    "allowed_origin",
    "forbids_transform",
    "extra_headers",
)
_WORDS = ("name", "description", "expected_result", "rollback_note")
_FIELD = re.compile(r"(?:(match|policy)\.)?(\w+)(?:\[(\d+)\])?(?:\.(\w+)(?:\[\d+\])?)?")
_ROWS_MORE = 3
_SAYING = (
    "kind",
    "name",
    "reason",
    "url",
    "rule",
    "browser_ttl_seconds",
    "shared_ttl_seconds",
    "request_headers",
    "tags",
)
_NOTHING: tuple[Any, ...] = (None, "", [])
# A fault of a row that names none of its fields stands at this one.
_ROW_FIELDS = {"bypass_conditions": "name", "examples": "url"}


class RuleEditor:
    """The forms of one rule: bound to what was typed, or filled from a content."""

    def __init__(
        self,
        *,
        slug: str,
        others: Sequence[CacheRuleVersion],
        content: RuleContent,
        owner: User | None = None,
        based_on: int | None = None,
        typed: QueryDict | None = None,
    ) -> None:
        self.slug, self.given, self._others = slug, content, {each.rule.slug: each for each in others}
        rules = [(each, f"{one.name} ({each})") for each, one in self._others.items() if each != slug]
        self._typed: dict[str, Any] = {}
        self._rows: dict[str, list[forms.Form]] = {}
        initial, rows = _initial(content, owner, based_on), as_json(content)
        self.form = RuleForm(typed, is_new=not slug, initial=initial)
        # What was typed stands for itself: a row is compared with no earlier one.
        bypass = None if typed else rows["bypass_conditions"]
        examples = None if typed else [_initial_example(row, slug) for row in rows["examples"]]
        self.bypass = BypassFormSet(typed, prefix="bypass", initial=bypass)
        self.examples = ExampleFormSet(
            typed, prefix="examples", initial=examples, form_kwargs={"rules": rules}
        )

    def suggest(self, known: KnownValues) -> None:
        """Let fields say which values there are."""
        for name in ("folders", "tags", "extensions", "media_types"):
            cast("LinesField", self.form.fields[name]).known = getattr(known, name)

    def is_valid(self) -> bool:
        return all([self.form.is_valid(), self.bypass.is_valid(), self.examples.is_valid()])

    @property
    def owner(self) -> User | None:
        return self.form.cleaned_data.get("owner")

    @property
    def typed_slug(self) -> str:
        return self.slug or self.form.cleaned_data.get("slug", "")

    @property
    def place_in_words(self) -> str:
        """Say between which rules the typed number puts this one; "" where there is none, or no number."""
        number = self.form.cleaned_data.get("order") if self.form.is_bound else self.given.order
        orders = {slug: each.order for slug, each in self._others.items()}
        slug = self.typed_slug if self.form.is_bound else self.slug
        after, before = neighbours(orders, slug, number) if number is not None else ("", "")
        words = [
            f"{where} “{self._others[each].name}” ({orders[each]})"
            for where, each in (("after", after), ("before", before))
            if each
        ]
        return f"Tried {' and '.join(words)}." if words else ""

    def content(self) -> dict[str, Any]:
        """Return what was typed in the shape of `RuleContent`; what was typed wrongly is left out."""
        # A fault takes what was typed out of `cleaned_data`: what is judged now is kept as it is.
        typed = self._typed = dict(self.form.cleaned_data)
        self._rows = {"bypass_conditions": list(filled(self.bypass)), "examples": list(filled(self.examples))}
        bypass, examples = (
            [dict(row.cleaned_data) for row in self._rows[name]] for name in ("bypass_conditions", "examples")
        )
        words = {name: (typed.get(name) or "").replace("\r\n", "\n").strip() for name in _WORDS}
        match = {name: typed[name] for name in _MATCH if name in typed}
        match["is_fingerprinted"] = {"true": True, "false": False}.get(typed.get("is_fingerprinted", ""))
        policy = {name: typed[name] for name in _POLICY if name in typed}
        return {
            **words,
            "order": typed.get("order") or 0,
            "state": typed.get("state") or "active",
            "match": match,
            "policy": policy,
            "bypass_conditions": [_bypass(row) for row in bypass],
            "examples": [_example(row, self.typed_slug) for row in examples],
        }

    def place(self, faults: Iterable[FieldFault]) -> None:
        """Put each fault at the field where it can be mended."""
        for fault in faults:
            self._place(fault)

    def _place(self, fault: FieldFault) -> None:
        found = _FIELD.fullmatch(fault.field)
        _, name, place, part = found.groups() if found else ("", "", None, None)
        if name in _ROW_FIELDS and place is not None:
            row = self._rows[name][int(place)]
            row.add_error(part if part in row.fields else _ROW_FIELDS[name], fault.message)
        elif name == "examples":
            first = next(iter(self.examples), None)
            (first or self.form).add_error("url" if first else None, fault.message)
        elif name in self.form.fields:
            self.form.add_error(name, f"{self._entry(name, place)}{fault.message}")
        else:
            self.form.add_error(None, fault.message)

    def _entry(self, name: str, place: str | None) -> str:
        """Return the entry of a list that a fault is about, in front of it."""
        entries = self._typed.get(name) if place is not None else None
        if not isinstance(entries, list) or int(place or 0) >= len(entries):
            return ""
        entry = entries[int(place or 0)]
        return f"{entry if isinstance(entry, str) else entry[0]}: "

    def fault_words(self) -> Iterator[tuple[str, str]]:
        """Yield each fault with the id of its field, for a summary that leads there."""
        forms_ = [self.form, *self.bypass, *self.examples]
        for form in forms_:
            for name, errors in form.errors.items():
                field = form[name] if name in form.fields else None
                label = str(field.label) if field else ""
                where = field.id_for_label if field else ""
                for error in errors:
                    yield f"{label}: {error}" if label else str(error), where


def with_more_rows(typed: QueryDict) -> QueryDict:
    """Return what was typed, with a few more empty rows in each list."""
    more = typed.copy()
    for prefix in ("bypass", "examples"):
        total = more.get(f"{prefix}-TOTAL_FORMS", "")
        if total.isdecimal():
            more[f"{prefix}-TOTAL_FORMS"] = str(int(total[:4]) + _ROWS_MORE)
    return more


def filled(rows: Iterable[forms.Form]) -> Iterator[forms.Form]:
    """Yield the rows that say something and are not to be removed."""
    for row in rows:
        typed = getattr(row, "cleaned_data", {})
        if not typed.get("DELETE") and any(typed.get(name) not in _NOTHING for name in _SAYING):
            yield row


def _bypass(typed: Mapping[str, Any]) -> dict[str, Any]:
    kind = typed.get("kind") or "query"
    name = typed.get("name") or ("preview" if kind == "preview" else "")
    return {"kind": kind, "name": name, "reason": typed.get("reason") or ""}


def _example(typed: Mapping[str, Any], slug: str) -> dict[str, Any]:
    rule = typed.get("rule") or slug
    size = typed.get("size_bytes")
    return {
        "url": typed.get("url") or "",
        "is_cached": bool(typed.get("is_cached")),
        "rule": "" if rule == NO_RULE else rule,
        "browser_ttl_seconds": typed.get("browser_ttl_seconds"),
        "shared_ttl_seconds": typed.get("shared_ttl_seconds"),
        "request_headers": typed.get("request_headers") or [],
        "size_bytes": 10_000 if size is None else size,
        "tags": typed.get("tags") or [],
    }


def _initial(content: RuleContent, owner: User | None, based_on: int | None) -> dict[str, Any]:
    said = as_json(content)
    fingerprinted = {None: "", True: "true", False: "false"}[content.match.is_fingerprinted]
    return {
        **{name: said[name] for name in (*_WORDS, "order", "state")},
        **said["match"],
        **said["policy"],
        "is_fingerprinted": fingerprinted,
        "owner": owner,
        "based_on": based_on,
    }


def _initial_example(row: dict[str, Any], slug: str) -> dict[str, Any]:
    rule = "" if row["rule"] == slug else row["rule"] or NO_RULE
    return {**row, "rule": rule, "is_cached": "true" if row["is_cached"] else "false"}
