"""What two sets of headers differ in, in words."""

import pytest

from apps.caching.rules import HeaderSet
from apps.releases.comparing.header_words import header_words, rule_words


def having(*headers: tuple[str, str], rule: str = "everything", version: int = 1) -> HeaderSet:
    return HeaderSet(rule, version, headers, "0" * 64)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("max-age=300", "max-age=31536000", "max-age 300 → 31536000"),
        ("max-age=300", "public, max-age=300, immutable", "now public, now immutable"),
        ("public, must-revalidate", "public", "no must-revalidate"),
        ("no-store", "max-age=60", "no no-store, now max-age 60"),
        ("max-age=1, public", "public, max-age=1", "in another order"),
    ],
)
def test_directives_are_compared_one_by_one(old: str, new: str, words: str) -> None:
    assert header_words(having(("cache-control", old)), having(("cache-control", new))) == [
        f"cache-control: {words}"
    ]


def test_other_headers_are_named_with_both_values() -> None:
    old = having(("x-robots-tag", "noindex"), ("vary", "accept"), ("link", "a"), ("link", "b"))
    new = having(
        ("vary", "accept"), ("link", "a"), ("content-type", "text/css"), ("cache-control", "no-store")
    )
    assert header_words(old, new) == [
        "x-robots-tag: noindex → none",
        "link: a, b → a",
        "content-type: none → text/css",
        "cache-control: none → no-store",
    ]
    assert header_words(old, old) == []


def test_the_rule_is_named_and_its_version() -> None:
    assert rule_words(having(), having()) == "rule everything (version 1)"
    assert rule_words(having(), having(version=2)) == "rule everything, version 1 → 2"
    assert rule_words(having(rule=""), having(rule="js", version=3)) == "rule none → js (version 3)"
