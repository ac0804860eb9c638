import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.assets.paths import path_fault
from apps.caching.matching import is_fingerprinted
from apps.releases.manifest.names import choose_fingerprint, fingerprinted_name, split_fingerprinted

DIGEST = hashlib.sha256(b"body{}").hexdigest()
ALL_LETTERS = "abcdef" * 8 + "1a2b3c4d5e6f" + "abcd"

paths = st.text(alphabet="ab1-._/é", min_size=1, max_size=40).filter(lambda path: path_fault(path) is None)
digests = st.binary(max_size=8).map(lambda data: hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("css/app.css", "css/app.3f2a9c1b0d4e.css"),
        ("jquery.min.js", "jquery.min.3f2a9c1b0d4e.js"),
        ("app.js.map", "app.js.3f2a9c1b0d4e.map"),
        ("v1.2/logo.svg", "v1.2/logo.3f2a9c1b0d4e.svg"),
    ],
)
def test_a_fingerprint_stands_before_the_last_extension_and_is_found_there(path: str, name: str) -> None:
    assert fingerprinted_name(path, "3f2a9c1b0d4e") == name
    assert split_fingerprinted(name) == (path, "3f2a9c1b0d4e")


@pytest.mark.parametrize("path", ["LICENSE", ".htaccess", "v1.2/LICENSE", "a/.env", "name."])
def test_a_name_without_stem_or_extension_takes_no_fingerprint(path: str) -> None:
    with pytest.raises(ValueError, match="no extension"):
        fingerprinted_name(path, "3f2a9c1b0d4e")
    assert choose_fingerprint(path, DIGEST) == ""


@pytest.mark.parametrize(
    "name",
    [
        "app.css",
        "app.3F2A9C1B0D4E.css",
        "app.3f2a9c1b0d4.css",
        "app.3f2a9c1b0d4ef.css",
        "app-3f2a9c1b0d4e.css",
        "3f2a9c1b0d4e.css",
        "css/.3f2a9c1b0d4e.css",
        "app.3f2a9c1b0d4e/x.css",
        "app.3f2a9c1b0d4e.css/x",
        "app.3f2a9c1b0d4e",
    ],
)
def test_what_only_looks_alike_is_not_split(name: str) -> None:
    assert split_fingerprinted(name) is None


def test_the_first_window_that_passes_for_a_hash_is_chosen() -> None:
    fingerprint = choose_fingerprint("app.css", ALL_LETTERS)
    assert fingerprint not in {"", ALL_LETTERS[:12]}
    earlier = [ALL_LETTERS[start : start + 12] for start in range(ALL_LETTERS.index(fingerprint))]
    assert not any(is_fingerprinted(fingerprinted_name("app.css", window)) for window in earlier)


def test_a_digest_without_such_a_window_gives_no_fingerprint() -> None:
    assert choose_fingerprint("app.css", "0" * 64) == ""


@pytest.mark.parametrize(
    "path", ["index-BX3k9aQz.js", "app.3f2a9c1b0d4e.css", "123e4567-e89b-12d3-a456-426614174000.png"]
)
def test_a_name_that_carries_a_hash_or_an_identifier_gets_no_second_one(path: str) -> None:
    assert choose_fingerprint(path, DIGEST) == ""


def test_a_name_that_would_become_too_long_stays_as_it_is() -> None:
    assert choose_fingerprint("é" * 119 + ".css", DIGEST)
    assert choose_fingerprint("é" * 120 + ".css", DIGEST) == ""
    assert choose_fingerprint("folder/" * 144 + "a.css", DIGEST) == ""


@given(paths, digests)
@example("a.b", DIGEST)
def test_a_chosen_name_passes_for_fingerprinted_and_leads_back(path: str, digest: str) -> None:
    fingerprint = choose_fingerprint(path, digest)
    if fingerprint:
        name = fingerprinted_name(path, fingerprint)
        assert is_fingerprinted(name)
        assert path_fault(name) is None
        assert fingerprint in digest
        assert split_fingerprinted(name) == (path, fingerprint)
