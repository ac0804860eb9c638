"""Redirects in a manifest: which one a path meets, and what they do to the digest."""

import hashlib
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.caching.rules import HeaderSet
from apps.releases.manifest import (
    ManifestFault,
    ManifestReader,
    ManifestWriter,
    Redirect,
    RedirectDifference,
    diff,
    diff_redirects,
)

HEADERS = HeaderSet("everything", 1, (("cache-control", "max-age=300"),), "1" * 64)
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

PATHS = st.lists(st.sampled_from(["a", "b", "é", "*", ""]), min_size=1, max_size=4).map("/".join)
SOURCES = PATHS | PATHS.map(lambda path: path + "/*") | st.just("*")
REDIRECTS = st.dictionaries(
    SOURCES, st.tuples(st.sampled_from(["/new", "/x/:splat"]), st.sampled_from([301, 308])), max_size=8
).map(lambda found: {source: Redirect(source, *rest) for source, rest in found.items()})

Redirects = dict[str, Redirect]


def write(file: Path, redirects: Redirects, *, base: Path | None = None, was: Redirects | None = None) -> str:
    """Write a site of one path with `redirects`, whole or as changes to `base`; return the digest."""
    file.unlink(missing_ok=True)
    with ManifestWriter(file, base=base) as writer:
        if base is None:
            writer.put("a", blob="0" * 64, size=1, media_type="text/css", header_set=HEADERS, release=1)
        for source in set(was or {}) - set(redirects):
            assert writer.remove_redirect(source)
        for redirect in redirects.values():
            writer.put_redirect(redirect, release=1)
        return writer.finish(rules_digest="0" * 64)


def expected_for(path: str, redirects: Redirects) -> Redirect | None:
    """Return what `redirect_for` should: exactly this path, else the longest wildcard that fits."""
    if path in redirects:
        return redirects[path]
    fitting = [s for s in redirects if (s == "*" or s.endswith("/*")) and path.startswith(s[:-1])]
    return redirects[max(fitting, key=len)] if fitting else None


@relaxed
@given(before=REDIRECTS, after=REDIRECTS)
def test_a_copy_with_changed_redirects_has_the_digest_of_one_built_from_nothing(
    tmp_path: Path, before: Redirects, after: Redirects
) -> None:
    old = write(tmp_path / "base", before)
    changed = write(tmp_path / "changed", after, base=tmp_path / "base", was=before)
    assert changed == write(tmp_path / "whole", after)
    assert (changed == old) == (before == after)
    with ManifestReader(tmp_path / "changed") as reader:
        reader.verify()
        assert list(reader.redirects()) == [after[source] for source in sorted(after)]
        assert reader.has_redirects == bool(after)


@relaxed
@given(redirects=REDIRECTS, path=PATHS)
def test_a_path_meets_its_own_redirect_before_wildcards_and_long_before_short(
    tmp_path: Path, redirects: Redirects, path: str
) -> None:
    write(tmp_path / "m", redirects)
    with ManifestReader(tmp_path / "m") as reader:
        assert reader.redirect_for(path) == expected_for(path, redirects)


@relaxed
@given(before=REDIRECTS, after=REDIRECTS)
def test_the_redirects_that_differ_are_named(tmp_path: Path, before: Redirects, after: Redirects) -> None:
    write(tmp_path / "old", before)
    write(tmp_path / "new", after)
    with ManifestReader(tmp_path / "old") as old, ManifestReader(tmp_path / "new") as new:
        rows = list(diff_redirects(old, new))
        assert list(diff(old, new)) == []
    assert rows == [
        RedirectDifference(source, before.get(source), after.get(source))
        for source in sorted({*before, *after})
        if before.get(source) != after.get(source)
    ]


def test_nothing_stands_for_a_manifest_without_redirects(tmp_path: Path) -> None:
    old = Redirect("old", "/new")
    write(tmp_path / "m", {"old": old})
    with ManifestReader(tmp_path / "m") as reader:
        assert list(diff_redirects(None, reader)) == [RedirectDifference("old", None, old)]
        assert list(diff_redirects(reader, None)) == [RedirectDifference("old", old, None)]


def test_redirects_below_a_prefix_can_be_listed(tmp_path: Path) -> None:
    write(tmp_path / "m", {source: Redirect(source, "/new") for source in ("a", "shop/*", "shop/x", "zoo")})
    with ManifestReader(tmp_path / "m") as reader:
        assert [found.source for found in reader.redirects(prefix="shop/")] == ["shop/*", "shop/x"]


def test_the_digest_counts_redirects_as_the_format_is_documented(tmp_path: Path) -> None:
    digest = write(tmp_path / "m", {"b": Redirect("b", "/x", 301), "a/*": Redirect("a/*", "/y/:splat")})
    bucket = hashlib.sha256(f"a\n{'0' * 64}\n{HEADERS.digest}\n".encode()).hexdigest()
    rows = hashlib.sha256(b"a/*\n/y/:splat\n308\nb\n/x\n301\n").hexdigest()
    whole = f"assetsite manifest 1\n{bucket}\nredirects {rows}\n"
    assert digest == hashlib.sha256(whole.encode()).hexdigest()


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE redirect SET target = 'https://evil.example/'",
        "UPDATE redirect SET status = 301",
        "UPDATE redirect SET source = 'other'",
        "DELETE FROM redirect",
    ],
)
def test_a_redirect_that_was_tampered_with_does_not_verify(tmp_path: Path, tampering: str) -> None:
    write(tmp_path / "m", {"old": Redirect("old", "/new")})
    with sqlite3.connect(tmp_path / "m") as db:
        db.execute(tampering)
    db.close()
    with ManifestReader(tmp_path / "m") as reader, pytest.raises(ManifestFault):
        reader.verify()


def test_a_path_of_many_slashes_is_tried_no_deeper_than_there_are_wildcards(tmp_path: Path) -> None:
    write(tmp_path / "m", {"a/*": Redirect("a/*", "/b/:splat"), "old": Redirect("old", "/new")})
    with ManifestReader(tmp_path / "m") as reader:
        # SQLite takes some 32,000 parameters a statement.
        assert reader.redirect_for("a" + "/" * 40_000) == Redirect("a/*", "/b/:splat")
        assert reader.redirect_for("/" * 40_000) is None
