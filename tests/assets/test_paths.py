import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.assets.paths import colliding, path_fault

segments = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/\\\U0010ffff"),
    min_size=1,
    max_size=20,
).map(lambda text: unicodedata.normalize("NFC", text))
servable = (
    st.lists(segments, min_size=1, max_size=5)
    .filter(lambda parts: not {".", ".."}.intersection(parts) and parts[0] not in {"-", "library"})
    .map("/".join)
)


@pytest.mark.parametrize(
    "path",
    [
        "index.html",
        "css/app.3f2a9c.css",
        "größe/日本語.txt",
        "a b/c?d#e%20f.html",
        ".well-known/security.txt",
        "...",
        "docs/-/x",
        "docs/library/x",
        "library.html",
        "Library/x",
        "-x/y",
        "a" * 255,
        "/".join(["a" * 203] * 5 + ["abcd"]),
    ],
)
def test_a_path_that_a_url_can_name_is_servable(path: str) -> None:
    assert path_fault(path) is None


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "is empty"),
        ("/index.html", "empty part"),
        ("css/", "empty part"),
        ("css//site.css", "empty part"),
        ("./a", "the part “.”"),
        ("a/../b", "the part “..”"),
        ("..", "the part “..”"),
        ("a\\b", "a backslash"),
        ("a\0b", "U+0000"),
        ("a\nb", "U+000A"),
        ("a\x7fb", "U+007F"),
        ("a\x85b", "U+0085"),
        ("a\U0010ffff", "U+10FFFF"),
        ("bad-\udcff.txt", "not valid UTF-8"),
        ("cafe\u0301.html", "composed form"),
        ("-/healthz", "/-/"),
        ("-", "/-/"),
        ("library/x", "/library/"),
        ("library", "/library/"),
        ("a" * 256, "256 bytes"),
        ("ü" * 128, "256 bytes"),
        ("/".join(["a" * 204] * 5 + ["a"]), "1026 characters"),
    ],
)
def test_a_path_that_cannot_be_served_says_why(path: str, words: str) -> None:
    fault = path_fault(path)

    assert fault is not None
    assert words in fault


@given(servable)
def test_every_normal_path_of_allowed_characters_is_servable(path: str) -> None:
    assert path_fault(path) is None


@given(st.text(st.characters()))
def test_what_is_servable_survives_a_url_and_stays_below_the_root(path: str) -> None:
    if path_fault(path) is None:
        assert path.encode().decode() == path
        assert unicodedata.normalize("NFC", path) == path
        assert not path.startswith("/")
        assert ".." not in path.split("/")


def test_paths_that_differ_only_by_case_collide() -> None:
    assert colliding(["css/Site.css", "css/site.css", "js/app.js"]) == [("css/Site.css", "css/site.css")]


def test_paths_that_differ_only_by_unicode_form_collide() -> None:
    assert colliding(["cafe\u0301.html", "caf\u00e9.html"]) == [("cafe\u0301.html", "caf\u00e9.html")]


def test_folding_goes_past_lower_case() -> None:
    assert colliding(["STRASSE", "straße"]) == [("STRASSE", "straße")]


def test_a_file_that_is_another_paths_folder_collides_with_the_first_path_below_it() -> None:
    assert colliding(["a/b/z", "a/b/c", "a/b", "ab"]) == [("a/b", "a/b/c")]


def test_a_file_collides_with_a_folder_of_another_case() -> None:
    assert colliding(["Docs", "docs/x"]) == [("Docs", "docs/x")]


def test_folders_of_different_case_may_stand_beside_each_other() -> None:
    assert colliding(["Css/a.css", "css/b.css"]) == []


def test_the_same_path_twice_does_not_collide_with_itself() -> None:
    assert colliding(["a", "a"]) == []


@given(st.lists(servable, max_size=12))
def test_groups_do_not_depend_on_the_order_of_the_paths(paths: list[str]) -> None:
    groups = colliding(paths)

    assert colliding(reversed(paths)) == groups
    assert all(len(group) > 1 and set(group) <= set(paths) for group in groups)


@given(st.from_regex(r"[a-zA-Z]{1,8}(/[a-zA-Z]{1,8}){0,3}", fullmatch=True))
def test_a_path_always_collides_with_its_other_case(path: str) -> None:
    assert colliding([path, path.swapcase()]) == [tuple(sorted([path, path.swapcase()]))]
