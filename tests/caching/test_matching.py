import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.caching.matching import explain, in_words, is_fingerprinted, matches, near_miss
from apps.caching.rules import Match


def fits(glob: str, path: str) -> bool:
    return matches(Match(paths=(glob,)), path, "text/plain", 1)


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("css/*.css", "css/site.css"),
        ("css/*", "css/"),
        ("img/photo-?.jpg", "img/photo-7.jpg"),
        ("css/**", "css/site.css"),
        ("css/**", "css/a/b/site.css"),
        ("**", "a/b/c"),
        ("**/app.js", "app.js"),
        ("**/app.js", "a/b/app.js"),
        ("a/**/b", "a/b"),
        ("a/**/b", "a/x/y/b"),
        ("fonts/ö*.woff2", "fonts/öffentlich.woff2"),
        ("a[1].txt", "a[1].txt"),
        ("a.b", "a.b"),
    ],
)
def test_a_glob_fits(glob: str, path: str) -> None:
    assert fits(glob, path)


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("css/*.css", "css/deep/site.css"),
        ("css/*.css", "css/site.css.map"),
        ("css/*.css", "my/css/site.css"),
        ("img/photo-?.jpg", "img/photo-/.jpg"),
        ("img/photo-?.jpg", "img/photo-10.jpg"),
        ("css/**", "css"),
        ("css/**", "xcss/site.css"),
        ("**/app.js", "my-app.js"),
        ("a/**/b", "a/xb"),
        ("a[1].txt", "a1.txt"),
        ("a.b", "axb"),
        ("CSS/*", "css/site.css"),
    ],
)
def test_a_glob_does_not_fit(glob: str, path: str) -> None:
    assert not fits(glob, path)


def slow_fit(glob: str, path: str) -> bool:
    """The same meaning, spelled out one character at a time."""
    if glob.startswith("**/") and (slow_fit(glob[3:], path) or any_folder(glob, path)):
        return True
    if glob.startswith("**"):
        return any(slow_fit(glob[2:], path[start:]) for start in range(len(path) + 1))
    if glob.startswith("*"):
        folder = path.split("/", 1)[0]
        return any(slow_fit(glob[1:], path[start:]) for start in range(len(folder) + 1))
    if not glob or not path:
        return glob == path
    is_same = path[0] != "/" if glob[0] == "?" else glob[0] == path[0]
    return is_same and slow_fit(glob[1:], path[1:])


def any_folder(glob: str, path: str) -> bool:
    return any(slow_fit(glob[3:], path[found.end() :]) for found in re.finditer("/", path))


SEGMENTS = st.text(alphabet="ab*?.", min_size=1, max_size=4).filter(lambda text: "**" not in text)
GLOBS = st.lists(SEGMENTS | st.just("**"), min_size=1, max_size=4).map("/".join)
PATHS = st.lists(st.text(alphabet="ab.", min_size=1, max_size=4), min_size=1, max_size=4).map("/".join)


@given(GLOBS, PATHS)
def test_every_glob_means_what_it_spells(glob: str, path: str) -> None:
    assert fits(glob, path) is slow_fit(glob, path)


@given(st.text(alphabet=st.characters(exclude_characters="*?", exclude_categories=("Cs", "Cc")), min_size=1))
def test_text_without_wildcards_fits_itself_only(text: str) -> None:
    assert fits(text, text)
    assert not fits(text, f"{text}x")


def test_a_glob_made_to_backtrack_is_answered_all_the_same() -> None:
    assert not fits("*a" * 60 + "b", "a" * 1000)


@pytest.mark.parametrize(
    "path",
    [
        "app.3f2a9c.css",
        "app-3f2a9c41.js",
        "assets/index-BX3k9aQz.js",
        "main.8a7b6c5d.chunk.js",
        "app.3f2a9c.css.map",
        "static/3f2a9c41d07e.js",
        "chunk-5QY3BTZE.js",
        "logo.d41d8cd98f00b204e9800998ecf8427e.svg",
        "a.9F86D081884C7D65.woff2",
        "page.3f2a9c41.html",
        "app.ab12cd.css",
        "chunk-XYZ23GHK.js",
        "index-abc3Cd56.js",
    ],
)
def test_a_content_hash_is_found(path: str) -> None:
    assert is_fingerprinted(path)


@pytest.mark.parametrize(
    "path",
    [
        "js/jquery-3.7.1.min.js",
        "bootstrap.min.css",
        "2024-11-20.html",
        "app.default.css",
        "app.css",
        "README",
        "facade.js",
        "app.decade.js",
        "app.defaced.css",
        "report-20241120.pdf",
        "report-20241120123456.pdf",
        "report-24dec2024.pdf",
        "icon-512x512.png",
        "photo-1920x1080.jpg",
        "talk-face2face.mp4",
        "bean-cafe24.css",
        "main-es2015.js",
        "dump-utf8mb4.sql",
        "setup-win32x64.exe",
        "talk-S01E05.mp4",
        "logo-HomePage.png",
        "tips-Win11Pro.html",
        "logo-HTML5Logo.png",
        "about-WINDOWS7.html",
        "app.3f2a9.css",
        "jquery.min.3f2a9c",
        "3f2a9c.d/app.css",
        "550e8400-e29b-41d4-a716-4466554a000f.png",
        "",
        ".htaccess",
        "3f2a9c41-app.css",
    ],
)
def test_a_word_number_date_or_version_is_no_content_hash(path: str) -> None:
    assert not is_fingerprinted(path)


@given(st.text(alphabet=string.ascii_lowercase, max_size=12), st.sampled_from(["js", "html", "min.css"]))
def test_a_plain_word_is_never_a_content_hash(word: str, extension: str) -> None:
    assert not is_fingerprinted(f"app-{word}.{extension}")


@given(st.lists(st.integers(0, 99999), min_size=1, max_size=5))
def test_a_number_version_or_date_is_never_a_content_hash(numbers: list[int]) -> None:
    for separator in ".-":
        assert not is_fingerprinted(f"lib-{separator.join(map(str, numbers))}.js")


def test_a_media_type_or_a_whole_family_matches() -> None:
    match = Match(media_types=("text/*", "application/json"))
    assert matches(match, "a", "text/css", 1)
    assert matches(match, "a", "application/json", 1)
    assert not matches(match, "a", "application/jsonp", 1)
    assert not matches(match, "a", "textual/css", 1)


def test_an_extension_matches_whatever_its_case_and_only_after_a_dot() -> None:
    match = Match(extensions=("Css", "tar.gz"))
    assert matches(match, "a/SITE.CSS", "text/css", 1)
    assert matches(match, "a.tar.gz", "application/gzip", 1)
    assert not matches(match, "css", "text/css", 1)
    assert not matches(match, "a.gz", "application/gzip", 1)


def test_size_bounds_include_their_ends() -> None:
    match = Match(min_size_bytes=10, max_size_bytes=20)
    found = [size for size in (9, 10, 20, 21) if matches(match, "a", "text/plain", size)]
    assert found == [10, 20]


def test_a_rule_can_ask_for_names_without_content_hash() -> None:
    match = Match(is_fingerprinted=False)
    assert matches(match, "app.css", "text/css", 1)
    assert not matches(match, "app.3f2a9c.css", "text/css", 1)


def test_one_of_several_tags_is_enough() -> None:
    match = Match(tags=("sale", "hero"), extensions=("png",))
    for tags, is_matched in (({"hero"}, True), ({"sale", "old"}, True), ({"old"}, False), (set(), False)):
        assert matches(match, "a.png", "image/png", 1, frozenset(tags)) is is_matched
    assert not matches(match, "a.css", "text/css", 1, frozenset({"sale"}))
    assert in_words(match) == "Files with the tag sale or hero and whose name ends in .png"
    assert explain(match, "a.png", "image/png", 1) == (False, "It does not carry the tag sale or hero.")
    missed = near_miss(match, "a.png", "image/png", 1)
    assert missed == "Its name ends in .png; only it does not carry the tag sale or hero."
    assert near_miss(match, "a.css", "text/css", 1) == "", "it misses both"
    assert near_miss(match, "a.png", "image/png", 1, frozenset({"sale"})) == "", "it meets both"
    assert near_miss(Match(extensions=("png",)), "a.css", "text/css", 1) == "", "it asks for nothing else"


def test_every_condition_has_to_hold() -> None:
    match = Match(paths=("css/**",), media_types=("text/css",), max_size_bytes=100)
    assert matches(match, "css/a.css", "text/css", 100)
    assert not matches(match, "js/a.css", "text/css", 100)
    assert not matches(match, "css/a.css", "text/plain", 100)
    assert not matches(match, "css/a.css", "text/css", 101)


def test_an_empty_match_is_about_every_file() -> None:
    assert explain(Match(), "a", "b/c", 0) == (True, "It matches every file.")
    assert in_words(Match()) == "Every file"


FULL = Match(
    paths=("css/**", "js/*"),
    media_types=("text/*", "image/png", "image/jpeg"),
    extensions=("css",),
    is_fingerprinted=True,
    min_size_bytes=10,
    max_size_bytes=2000,
)


def test_a_match_says_in_words_what_it_is_about() -> None:
    assert in_words(FULL) == (
        "Files of type text/*, image/png or image/jpeg, whose name ends in .css, of at least 10 bytes, "
        "of at most 2,000 bytes, at css/** or js/* and whose name carries a content hash"
    )
    assert in_words(Match(is_fingerprinted=False)) == "Files whose name carries no content hash"


@pytest.mark.parametrize(
    ("path", "media_type", "size", "because"),
    [
        ("css/a.3f2a9c.css", "font/woff2", 50, "Its type is not text/*, image/png or image/jpeg."),
        ("css/a.3f2a9c.js", "text/css", 50, "Its name does not end in .css."),
        ("css/a.3f2a9c.css", "text/css", 9, "It has fewer than 10 bytes."),
        ("css/a.3f2a9c.css", "text/css", 2001, "It has more than 2,000 bytes."),
        ("a.3f2a9c.css", "text/css", 50, "Its path does not fit css/** or js/*."),
        ("css/a.css", "text/css", 50, "Its name carries no content hash."),
    ],
)
def test_the_explanation_names_the_condition_that_does_not_hold(
    path: str, media_type: str, size: int, because: str
) -> None:
    assert explain(FULL, path, media_type, size) == (False, because)


def test_the_explanation_of_a_match_names_all_conditions() -> None:
    matched, because = explain(
        Match(extensions=("css",), is_fingerprinted=True), "a.3f2a9c.css", "text/css", 1
    )
    assert matched
    assert because == "Its name ends in .css and its name carries a content hash."
    plain = Match(is_fingerprinted=False)
    assert explain(plain, "a.css", "text/css", 1) == (True, "Its name carries no content hash.")
    assert explain(plain, "a.3f2a9c.css", "text/css", 1) == (False, "Its name carries a content hash.")


@given(PATHS, st.sampled_from(["text/css", "font/woff2"]), st.integers(0, 3000))
def test_the_explanation_says_the_same_as_the_match(path: str, media_type: str, size: int) -> None:
    assert explain(FULL, path, media_type, size)[0] is matches(FULL, path, media_type, size)


def test_a_large_expression_says_nothing_of_each_path(capfd: pytest.CaptureFixture[str]) -> None:
    large = Match(expressions=("a{1000}" * 20,))
    assert not matches(large, "a.css", "text/css", 1)
    assert matches(large, "a" * 20_000, "text/css", 1)
    assert capfd.readouterr().err == ""
