"""What two sets of headers differ in, in words. Knows no Django."""

from collections.abc import Iterator

from apps.caching.rules import HeaderSet

_DIRECTIVES = frozenset({"cache-control", "cdn-cache-control", "surrogate-control"})
_NONE = "none"


def header_words(old: HeaderSet, new: HeaderSet) -> list[str]:
    """Return what differs: "cache-control: max-age 300 → 31536000", "x-robots-tag: none → noindex"."""
    before, after = _by_name(old), _by_name(new)
    return [
        f"{name}: {words}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
        for words in [_change_of(name, before.get(name), after.get(name))]
    ]


def rule_words(old: HeaderSet, new: HeaderSet) -> str:
    """Say by which rule the headers come, and by which they came before where that is another."""
    before, after = _rule(old), _rule(new)
    if before == after:
        return f"rule {after}"
    if old.rule == new.rule:
        return f"rule {old.rule}, version {old.rule_version} → {new.rule_version}"
    return f"rule {before} → {after}"


def _rule(header_set: HeaderSet) -> str:
    return f"{header_set.rule} (version {header_set.rule_version})" if header_set.rule else _NONE


def _by_name(header_set: HeaderSet) -> dict[str, str]:
    """Return values by name; those of a name that occurs twice are joined, as caches read them."""
    found: dict[str, str] = {}
    for name, value in header_set.headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _change_of(name: str, old: str | None, new: str | None) -> str:
    if name not in _DIRECTIVES or old is None or new is None:
        return f"{_NONE if old is None else old} → {_NONE if new is None else new}"
    return ", ".join(_directive_changes(_directives(old), _directives(new)))


def _directives(value: str) -> dict[str, str]:
    parts = (part.strip().partition("=") for part in value.split(","))
    return {name.strip().lower(): given.strip() for name, _, given in parts if name.strip()}


def _directive_changes(old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield f"no {_named(name, old[name])}"
        elif name not in old:
            yield f"now {_named(name, new[name])}"
        elif old[name] != new[name]:
            yield f"{name} {old[name]} → {new[name]}"
    if set(old.items()) == set(new.items()):
        yield "in another order"


def _named(name: str, given: str) -> str:
    return f"{name} {given}".rstrip()
