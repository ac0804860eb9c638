"""Under which surrogate keys every cache holds an answer."""

import pytest

from apps.caching.headers import compile_headers
from apps.caching.rules import HeaderSet, Policy
from apps.caching.surrogate_keys import keys_of


def answer(**headers: str) -> HeaderSet:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HeaderSet("rule", 1, named, "0" * 64)


@pytest.mark.parametrize(
    ("headers", "keys"),
    [
        ({}, ()),
        ({"surrogate_key": "b a", "cache_tag": "b,a"}, ("b", "a")),
        ({"surrogate_key": "a  a b", "cache_tag": "b , a"}, ("a", "b")),
        ({"surrogate_key": "a"}, ()),
        ({"cache_tag": "a"}, ()),
        ({"surrogate_key": "a b", "cache_tag": "b,c"}, ("b",)),
        ({"surrogate_key": 'a" b', "cache_tag": 'a",b'}, ("b",)),
        ({"surrogate_key": "", "cache_tag": ""}, ()),
    ],
)
def test_those_count_that_caches_of_either_header_know(
    headers: dict[str, str], keys: tuple[str, ...]
) -> None:
    assert keys_of(answer(**headers)) == keys


def test_a_rule_that_names_keys_has_all_of_them() -> None:
    headers = compile_headers(Policy(surrogate_keys=("theme", "shop:a/b.c_d-e")), "text/css")
    assert keys_of(HeaderSet("rule", 1, headers, "0" * 64)) == ("theme", "shop:a/b.c_d-e")
