"""Fingerprints, and what a manifest knows that is derived from content; and manifests of the first format."""

import hashlib
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.caching.rules import HeaderSet
from apps.releases.comparing.impact import kind_of
from apps.releases.manifest import Finding, ManifestFault, ManifestReader, ManifestWriter, Redirect, diff
from apps.releases.manifest.digest import starts_bucket
from apps.releases.manifest.format import APPLICATION_ID, SCHEMA

SHORT = HeaderSet("everything", 1, (("cache-control", "max-age=300"),), "1" * 64)
LONG = HeaderSet("fingerprinted", 1, (("cache-control", "max-age=31536000"),), "2" * 64)
OTHER = HeaderSet("fingerprinted", 2, (("cache-control", "max-age=600"),), "3" * 64)
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

BOUNDARIES = [path for path in (f"b/{number}.css" for number in range(4000)) if starts_bucket(path)][:4]
# path → (content, fingerprint, headers of the fingerprinted name)
NAMED = st.tuples(st.sampled_from("ab"), st.sampled_from(["3f2a9c1b0d4e", "0123456789ab"]), st.just(LONG))
PLAIN = st.tuples(st.sampled_from("ab"), st.just(""), st.none())
SITES = st.dictionaries(st.sampled_from([*BOUNDARIES, "a.css", "c.js", "z.js"]), NAMED | PLAIN, max_size=8)
Site = dict[str, tuple[str, str, HeaderSet | None]]

# What the first format had, as files from then still have it.
FORMAT_1 = SCHEMA.replace(
    ",\n    fingerprint TEXT NOT NULL DEFAULT '',\n    named_header_set INTEGER REFERENCES header_set", ""
)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def put(writer: ManifestWriter, path: str, content: str, fingerprint: str = "") -> None:
    writer.put(
        path,
        blob=sha(content),
        size=1,
        media_type="text/css",
        header_set=SHORT,
        release=1,
        fingerprint=fingerprint,
        named_header_set=LONG if fingerprint else None,
    )


def write(file: Path, site: Site, *, base: Path | None = None, was: Site | None = None) -> str:
    file.unlink(missing_ok=True)
    with ManifestWriter(file, base=base) as writer:
        for path in set(was or {}) - set(site):
            writer.remove(path)
        for path, (content, fingerprint, _) in site.items():
            put(writer, path, content, fingerprint)
        return writer.finish(rules_digest="0" * 64)


def write_format_1(file: Path, contents: dict[str, str]) -> str:
    """Write a manifest as it was before redirects and fingerprints; return its digest."""
    assert "fingerprint" not in FORMAT_1
    db = sqlite3.connect(file)
    db.executescript(FORMAT_1 + f"PRAGMA application_id = {APPLICATION_ID};")
    headers = '[["cache-control", "max-age=300"]]'
    row = (bytes.fromhex(SHORT.digest), headers)
    db.execute("INSERT INTO header_set VALUES (1, ?, 'everything', 1, ?)", row)
    db.execute("INSERT INTO media_type VALUES (1, 'text/css')")
    db.executemany(
        "INSERT INTO entry VALUES (?, ?, 1, 1, 1, 1)",
        [(path, bytes.fromhex(sha(content))) for path, content in contents.items()],
    )
    rows = "".join(f"{path}\n{sha(contents[path])}\n{SHORT.digest}\n" for path in sorted(contents))
    db.execute("INSERT INTO bucket VALUES ('', ?)", (bytes.fromhex(sha(rows)),))
    digest = sha(f"assetsite manifest 1\n{sha(rows)}\n")
    meta = {"format": "1", "digest": digest, "path_count": str(len(contents)), "rules_digest": "0" * 64}
    db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    db.commit()
    db.close()
    return digest


def test_a_fingerprinted_path_is_found_with_both_of_its_header_sets(tmp_path: Path) -> None:
    write(tmp_path / "m", {"a.css": ("a", "3f2a9c1b0d4e", LONG), "b.css": ("b", "", None)})
    with ManifestReader(tmp_path / "m") as reader:
        named, plain = reader.lookup("a.css"), reader.lookup("b.css")
        assert named
        assert plain
        assert (named.fingerprint, plain.fingerprint, plain.named_header_set) == ("3f2a9c1b0d4e", "", 0)
        assert reader.header_sets[named.header_set] == SHORT
        assert reader.header_sets[named.named_header_set] == LONG


@relaxed
@given(before=SITES, after=SITES)
def test_fingerprints_count_in_the_digest_however_the_file_came_about(
    tmp_path: Path, before: Site, after: Site
) -> None:
    old = write(tmp_path / "base", before)
    new = write(tmp_path / "changed", after, base=tmp_path / "base", was=before)
    assert new == write(tmp_path / "whole", after)
    assert (new == old) == (before == after)
    with ManifestReader(tmp_path / "base") as base, ManifestReader(tmp_path / "changed") as changed:
        changed.verify()
        rows = [(row.path, row.is_content_changed) for row in diff(base, changed)]
    assert rows == [
        (path, before.get(path, (None,))[0] != after.get(path, (None,))[0])
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    ]


def test_a_row_with_a_fingerprint_has_a_fourth_line_in_the_digest(tmp_path: Path) -> None:
    digest = write(tmp_path / "m", {"a.css": ("a", "3f2a9c1b0d4e", LONG)})
    row = f"a.css\n{sha('a')}\n{SHORT.digest}\n3f2a9c1b0d4e {LONG.digest}\n"
    assert digest == sha(f"assetsite manifest 1\n{sha(row)}\n")


def test_other_headers_of_a_fingerprinted_name_are_another_digest(tmp_path: Path) -> None:
    before = write(tmp_path / "m", {"a.css": ("a", "3f2a9c1b0d4e", LONG)})
    with ManifestWriter(tmp_path / "n", base=tmp_path / "m") as writer:
        (entry,) = writer.entries()
        writer.set_header_set(entry, SHORT, OTHER)
        assert writer.finish(rules_digest="0" * 64) != before
    with ManifestReader(tmp_path / "m") as old, ManifestReader(tmp_path / "n") as new:
        new.verify()
        assert [(row.path, row.is_content_changed) for row in diff(old, new)] == [("a.css", False)]


def test_a_fingerprint_comes_with_the_headers_of_its_name(tmp_path: Path) -> None:
    with ManifestWriter(tmp_path / "m") as writer:
        for fingerprint, headers in (("3f2a9c1b0d4e", None), ("", LONG)):
            with pytest.raises(ValueError, match="come together"):
                writer.put(
                    "a.css",
                    blob=sha("a"),
                    size=1,
                    media_type="text/css",
                    header_set=SHORT,
                    release=1,
                    fingerprint=fingerprint,
                    named_header_set=headers,
                )


def test_the_manner_is_kept_until_another_is_set_and_counts_in_the_digest(tmp_path: Path) -> None:
    digests = []
    for name, base, manner in (
        ("m", None, ""),
        ("n", "m", "fingerprints 1"),
        ("o", "n", None),
        ("p", "o", ""),
    ):
        with ManifestWriter(tmp_path / name, base=tmp_path / base if base else None) as writer:
            if manner is not None:
                writer.set_manner(manner)
            digests.append(writer.finish(rules_digest="0" * 64))
    assert digests[0] == digests[3] != digests[1] == digests[2]
    found = []
    for name in "mnop":
        with ManifestReader(tmp_path / name) as reader:
            reader.verify()
            found.append((reader.manner, reader.has_fingerprints))
    named = ("fingerprints 1", True)
    assert found == [("", False), named, named, ("", False)]


def test_what_references_mean_is_found_and_leaves_the_digest_alone(tmp_path: Path) -> None:
    digest = write(tmp_path / "m", {"index.html": ("a", "", None), "a.css": ("b", "", None)})
    with ManifestWriter(tmp_path / "n", base=tmp_path / "m") as writer:
        writer.put_references("index.html", ["a.css", "missing.js", "a.css"])
        writer.put_references("about.html", ["a.css"])
        assert writer.finish(rules_digest="0" * 64) == digest
    with ManifestReader(tmp_path / "n") as reader:
        reader.verify()
        assert reader.references_of("index.html") == ["a.css", "missing.js"]
        assert reader.references_to("a.css") == ["about.html", "index.html"]


def test_what_was_uploaded_and_link_headers_count_in_the_digest(tmp_path: Path) -> None:
    link = "</a.css>; rel=preload; as=style"
    for name in "mn":
        with ManifestWriter(tmp_path / name) as writer:
            put(writer, "index.html", "a")
            if name == "n":
                writer.set_original("index.html", blob=sha("o"), size=7)
                writer.set_page_link("index.html", link)
            digest = writer.finish(rules_digest="0" * 64)
    row = f"index.html\n{sha('a')}\n{SHORT.digest}\noriginal {sha('o')}\nlink {link}\n"
    assert digest == sha(f"assetsite manifest 1\n{sha(row)}\n")
    with ManifestReader(tmp_path / "m") as before, ManifestReader(tmp_path / "n") as after:
        after.verify()
        assert after.original_of("index.html") == (sha("o"), 7)
        assert after.original_of("a.css") is None
        assert (after.link_of("index.html"), after.link_of("a.css")) == (link, "")
        assert [(row.path, row.is_content_changed) for row in diff(before, after)] == [("index.html", True)]


@pytest.mark.parametrize("table", ["original", "page_link"])
def test_what_was_uploaded_or_a_link_header_that_is_lost_does_not_verify(tmp_path: Path, table: str) -> None:
    with ManifestWriter(tmp_path / "m") as writer:
        put(writer, "index.html", "a")
        writer.set_original("index.html", blob=sha("o"), size=7)
        writer.set_page_link("index.html", "</a.css>")
        writer.finish(rules_digest="0" * 64)
    with sqlite3.connect(tmp_path / "m") as db:
        db.execute(f"DELETE FROM {table}")
    db.close()
    with ManifestReader(tmp_path / "m") as reader, pytest.raises(ManifestFault):
        reader.verify()


@relaxed
@given(
    before=st.dictionaries(st.sampled_from([*BOUNDARIES, "a.css"]), st.sampled_from(["", "</a>", "</b>"])),
    after=st.dictionaries(st.sampled_from([*BOUNDARIES, "a.css"]), st.sampled_from(["", "</a>", "</b>"])),
)
def test_link_headers_count_however_the_file_came_about(
    tmp_path: Path, before: dict[str, str], after: dict[str, str]
) -> None:
    def written(name: str, links: dict[str, str], base: Path | None) -> str:
        (tmp_path / name).unlink(missing_ok=True)
        with ManifestWriter(tmp_path / name, base=base) as writer:
            for path in [*BOUNDARIES, "a.css"] if base is None else ():
                put(writer, path, "a")
            if base:
                writer.forget_references()
            for path, link in links.items():
                writer.set_page_link(path, link)
            return writer.finish(rules_digest="0" * 64)

    written("base", before, None)
    assert written("changed", after, tmp_path / "base") == written("whole", after, None)


@pytest.mark.parametrize(
    ("upload", "kind"), [("o", "following"), ("other", "changed")], ids=["same upload", "other upload"]
)
def test_content_follows_where_only_what_it_is_made_into_changed(
    tmp_path: Path, upload: str, kind: str
) -> None:
    for name, served, uploaded in (("m", "a", "o"), ("n", "b", upload)):
        with ManifestWriter(tmp_path / name) as writer:
            put(writer, "index.html", served)
            writer.set_original("index.html", blob=sha(uploaded), size=7)
            writer.finish(rules_digest="0" * 64)
    with ManifestReader(tmp_path / "m") as before, ManifestReader(tmp_path / "n") as after:
        assert [kind_of(difference) for difference in diff(before, after)] == [kind]


FINDINGS = [
    Finding("a/index.html", "missing_reference", "gone.css"),
    Finding("a/x.js", "unreadable_script", "line 1"),
    Finding("b.html", "missing_reference", "gone.js"),
]


def test_findings_are_kept_with_the_content_that_they_are_about(tmp_path: Path) -> None:
    with ManifestWriter(tmp_path / "m") as writer:
        writer.set_manner("fingerprints 1")
        for finding in FINDINGS:
            put(writer, finding.path, "a")
            writer.put_findings(finding.path, [Finding(finding.path, "old", "x")])
            writer.put_findings(finding.path, [finding, finding])
        digest = writer.finish(rules_digest="0" * 64)
    with ManifestWriter(tmp_path / "n", base=tmp_path / "m") as writer:
        put(writer, "a/x.js", "b")
        writer.remove("b.html")
        writer.finish(rules_digest="0" * 64)
    with ManifestReader(tmp_path / "m") as before, ManifestReader(tmp_path / "n") as after:
        assert before.digest == digest
        assert list(before.findings()) == FINDINGS
        assert list(before.findings(prefix="a/")) == FINDINGS[:2]
        assert list(after.findings()) == FINDINGS[:1]


@pytest.mark.parametrize("target", ["a.3f2a9c1b0d4e.css", "docs", "about", "old/x"])
def test_a_reference_to_what_is_answered_in_another_way_is_not_missing(tmp_path: Path, target: str) -> None:
    with ManifestWriter(tmp_path / "m") as writer:
        writer.set_manner("fingerprints 1")
        put(writer, "a.css", "a", "3f2a9c1b0d4e")
        for path in ("docs/index.html", "about.html", "b.html"):
            put(writer, path, "a")
        writer.put_redirect(Redirect("old/*", "/new/:splat"), release=1)
        missing = [Finding("b.html", "missing_reference", path) for path in ("a.000000000000.css", target)]
        writer.put_findings("b.html", missing)
        writer.finish(rules_digest="0" * 64)
    with ManifestReader(tmp_path / "m") as reader:
        assert list(reader.findings()) == missing[:1]


@pytest.mark.parametrize("is_removed", [True, False])
def test_what_was_derived_goes_with_the_content_it_was_derived_from(tmp_path: Path, is_removed: bool) -> None:
    with ManifestWriter(tmp_path / "m") as writer:
        for path in ("index.html", "other.html"):
            put(writer, path, "a")
            writer.set_original(path, blob=sha("o"), size=7)
            writer.put_references(path, ["a.css"])
            writer.set_page_link(path, "</a.css>")
        writer.finish(rules_digest="0" * 64)
    with ManifestWriter(tmp_path / "n", base=tmp_path / "m") as writer:
        if is_removed:
            writer.remove("index.html")
        else:
            put(writer, "index.html", "b")
        writer.finish(rules_digest="0" * 64)
    with ManifestReader(tmp_path / "n") as reader:
        assert (reader.original_of("index.html"), reader.link_of("index.html")) == (None, "")
        assert reader.references_to("a.css") == ["other.html"]
        assert (reader.original_of("other.html"), reader.link_of("other.html")) == ((sha("o"), 7), "</a.css>")


def test_derived_data_can_be_written_anew(tmp_path: Path) -> None:
    with ManifestWriter(tmp_path / "m") as writer:
        writer.put_references("index.html", ["a.css", "b.css"])
        writer.put_references("index.html", ["b.css", "c.css"])
        writer.set_page_link("index.html", "</a.css>")
        writer.set_page_link("index.html", "")
        writer.finish(rules_digest="0" * 64)
    with ManifestReader(tmp_path / "m") as reader:
        assert reader.references_of("index.html") == ["b.css", "c.css"]
        assert reader.link_of("index.html") == ""


def test_a_manifest_of_the_first_format_is_read_with_nothing_new_in_it(tmp_path: Path) -> None:
    digest = write_format_1(tmp_path / "m", {"a.css": "a", "b.css": "b"})
    with ManifestReader(tmp_path / "m") as reader:
        reader.verify()
        assert (reader.digest, reader.path_count) == (digest, 2)
        entry = reader.lookup("a.css")
        assert entry
        assert (entry.blob, entry.fingerprint, entry.named_header_set) == (sha("a"), "", 0)
        assert [entry.path for entry in reader.entries()] == ["a.css", "b.css"]
        assert reader.redirect_for("old") is None
        assert list(reader.redirects()) == []
        assert (reader.original_of("a.css"), reader.link_of("a.css")) == (None, "")
        assert (reader.references_of("a.css"), reader.references_to("a.css")) == ([], [])
        assert list(reader.findings()) == []
        assert (reader.has_redirects, reader.has_fingerprints) == (False, False)


def test_the_same_content_has_the_same_digest_in_both_formats(tmp_path: Path) -> None:
    old = write_format_1(tmp_path / "old", {"a.css": "a"})
    assert write(tmp_path / "new", {"a.css": ("a", "", None)}) == old
    with ManifestReader(tmp_path / "old") as before, ManifestReader(tmp_path / "new") as after:
        assert list(diff(before, after)) == []


def test_a_manifest_of_the_first_format_can_be_built_upon(tmp_path: Path) -> None:
    site: Site = {"a.css": ("a", "", None), "b.css": ("c", "3f2a9c1b0d4e", LONG)}
    write_format_1(tmp_path / "base", {"a.css": "a", "b.css": "b"})
    with ManifestWriter(tmp_path / "m", base=tmp_path / "base") as writer:
        put(writer, "b.css", "c", "3f2a9c1b0d4e")
        writer.put_redirect(Redirect("old", "/a.css"), release=2)
        writer.set_original("b.css", blob=sha("o"), size=7)
        writer.finish(rules_digest="0" * 64)
    write(tmp_path / "plain", site)
    with ManifestWriter(tmp_path / "whole", base=tmp_path / "plain") as writer:
        writer.set_original("b.css", blob=sha("o"), size=7)
        writer.finish(rules_digest="0" * 64)
    with ManifestReader(tmp_path / "m") as reader, ManifestReader(tmp_path / "whole") as whole:
        reader.verify()
        assert reader.meta["format"] == "2"
        assert list(diff(reader, whole)) == []
        assert reader.redirect_for("old") == Redirect("old", "/a.css")
        assert reader.original_of("b.css") == (sha("o"), 7)


def test_a_header_set_that_a_fingerprinted_name_lost_does_not_verify(tmp_path: Path) -> None:
    write(tmp_path / "m", {"a.css": ("a", "3f2a9c1b0d4e", LONG)})
    with sqlite3.connect(tmp_path / "m") as db:
        db.execute("UPDATE entry SET named_header_set = NULL")
    db.close()
    with ManifestReader(tmp_path / "m") as reader, pytest.raises(ManifestFault):
        reader.verify()
