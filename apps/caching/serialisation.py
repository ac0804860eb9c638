"""Rules as JSON, for the database and for programs, and back: strict, and telling the field at fault."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from typing import Any

from apps.caching.rules import (
    Bypass,
    BypassKind,
    Example,
    Match,
    Policy,
    RuleContent,
    RuleState,
    Visibility,
)

type Convert = Callable[[object, str], Any]


class ShapeFault(ValueError):
    """A value of the wrong shape: `field` is where, as in `policy.browser_ttl_seconds`."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


def as_json(value: RuleContent | Match | Policy | Bypass | Example) -> dict[str, Any]:
    """Return `value` as JSON types only; `parse_…` gives back an equal value."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(value)))
    return plain


def parse_content(value: object) -> RuleContent:
    """Return what a rule version says. Raises `ShapeFault`; says nothing on whether it makes sense."""
    return _parse(RuleContent, value, "")


def parse_match(value: object) -> Match:
    """Return a match. Raises `ShapeFault`."""
    return _parse(Match, value, "match")


def parse_policy(value: object) -> Policy:
    """Return a policy. Raises `ShapeFault`."""
    return _parse(Policy, value, "policy")


def parse_bypass_conditions(value: object) -> tuple[Bypass, ...]:
    """Return the bypass conditions in a list. Raises `ShapeFault`."""
    return _each(_shape(Bypass))(value, "bypass_conditions")


def parse_examples(value: object) -> tuple[Example, ...]:
    """Return the examples in a list. Raises `ShapeFault`."""
    return _each(_shape(Example))(value, "examples")


def _parse[Shape](shape: type[Shape], value: object, where: str) -> Shape:
    if not isinstance(value, Mapping):
        raise ShapeFault(where or "content", "is not an object with named fields")
    converters = _CONVERTERS[shape]
    prefix = f"{where}." if where else ""
    for name in value:
        if name not in converters:
            raise ShapeFault(f"{prefix}{name}", f"is not known; known are {', '.join(converters)}")
    for field in fields(shape):  # type: ignore[arg-type]
        if field.default is MISSING and field.name not in value:
            raise ShapeFault(f"{prefix}{field.name}", "is missing")
    return shape(**{name: converters[name](found, f"{prefix}{name}") for name, found in value.items()})


def _shape[Shape](shape: type[Shape]) -> Callable[[object, str], Shape]:
    return lambda value, where: _parse(shape, value, where)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ShapeFault(where, "is not text")
    return value


def _flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise ShapeFault(where, "is neither true nor false")
    return value


def _whole_number(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ShapeFault(where, "is not a whole number")
    return value


def _choice[Choice: (Visibility, BypassKind, RuleState)](
    choices: type[Choice],
) -> Callable[[object, str], Choice]:
    def convert(value: object, where: str) -> Choice:
        try:
            return choices(_text(value, where))
        except ValueError as error:
            raise ShapeFault(where, f"is none of {', '.join(choices)}") from error

    return convert


def _optional[Value](convert: Callable[[object, str], Value]) -> Callable[[object, str], Value | None]:
    return lambda value, where: None if value is None else convert(value, where)


def _each[Value](convert: Callable[[object, str], Value]) -> Callable[[object, str], tuple[Value, ...]]:
    def convert_each(value: object, where: str) -> tuple[Value, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ShapeFault(where, "is not a list")
        return tuple(convert(item, f"{where}[{place}]") for place, item in enumerate(value))

    return convert_each


def _header(value: object, where: str) -> tuple[str, str]:
    pair = _each(_text)(value, where)
    if len(pair) != 2:
        raise ShapeFault(where, "is not a pair of name and value")
    return pair[0], pair[1]


_CONVERTERS: dict[type, dict[str, Convert]] = {
    Match: {
        "paths": _each(_text),
        "media_types": _each(_text),
        "extensions": _each(_text),
        "is_fingerprinted": _optional(_flag),
        "min_size_bytes": _optional(_whole_number),
        "max_size_bytes": _optional(_whole_number),
        "folders": _each(_text),
        "expressions": _each(_text),
        "tags": _each(_text),
    },
    Policy: {
        "visibility": _choice(Visibility),
        "browser_ttl_seconds": _optional(_whole_number),
        "shared_ttl_seconds": _optional(_whole_number),
        "must_revalidate": _flag,
        "is_immutable": _flag,
        "stale_while_revalidate_seconds": _optional(_whole_number),
        "stale_if_error_seconds": _optional(_whole_number),
        "is_trusted_active_content": _flag,
        "extra_headers": _each(_header),
        "forbids_transform": _flag,
        "cdn_ttl_seconds": _optional(_whole_number),
        "vary": _each(_text),
        "surrogate_keys": _each(_text),
        "allowed_origin": _text,
    },
    Bypass: {"kind": _choice(BypassKind), "name": _text, "reason": _text},
    Example: {
        "url": _text,
        "is_cached": _flag,
        "rule": _text,
        "browser_ttl_seconds": _optional(_whole_number),
        "shared_ttl_seconds": _optional(_whole_number),
        "request_headers": _each(_header),
        "size_bytes": _whole_number,
        "tags": _each(_text),
    },
    RuleContent: {
        "name": _text,
        "order": _whole_number,
        "match": _shape(Match),
        "policy": _shape(Policy),
        "expected_result": _text,
        "rollback_note": _text,
        "description": _text,
        "bypass_conditions": _each(_shape(Bypass)),
        "examples": _each(_shape(Example)),
        "state": _choice(RuleState),
    },
}
