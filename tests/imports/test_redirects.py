"""A file `_redirects` in a source: what its lines mean, and what an import makes of them."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.imports.exceptions import SourceRefused
from apps.imports.redirects import MAX_BYTES, compare_redirects, parse_redirects
from apps.imports.services import Result
from apps.releases.manifest import Redirect
from apps.releases.models import Release
from apps.releases.redirects.selectors import redirects_of
from apps.releases.services import channels
from tests.imports.conftest import FIRST, Import, Publish, changes_in, served_paths, write_files

FILE = """\
# Moved in spring
/old            /index.html
/blog/*   https://blog.example/:splat  302   # for now
/caf%C3%A9\t/coffee#menu 308

"""
PARSED = {
    "old": Redirect("old", "/index.html", 301),
    "blog/*": Redirect("blog/*", "https://blog.example/:splat", 302),
    "café": Redirect("café", "/coffee#menu", 308),
}


def site(folder: Path, redirects: str | bytes | None = FILE, **more: bytes) -> Path:
    """Write the first site, with a file of redirects where there is one."""
    files = {**FIRST, **more}
    if redirects is not None:
        files["_redirects"] = redirects.encode() if isinstance(redirects, str) else redirects
    return write_files(folder, files)


def counts(outcome: object) -> tuple[int, ...]:
    redirects = outcome.redirects  # type: ignore[attr-defined]
    return len(redirects.added), len(redirects.changed), len(redirects.removed)


def reasons(import_folder: Import, folder: Path, **options: object) -> list[str]:
    with pytest.raises(SourceRefused) as refusal:
        import_folder(folder, **options)
    return [f"{fault.name} {fault.reason}" for fault in refusal.value.faults]


@pytest.fixture
def moved(import_folder: Import, publish: Publish, source: Path) -> Release:
    """Release 1, live: the first site with the redirects of FILE."""
    return publish(import_folder(site(source)).release)


@pytest.mark.parametrize("text", [FILE, FILE.replace("\n", "\r\n")])
def test_a_line_is_a_source_a_target_and_perhaps_a_status(text: str) -> None:
    assert parse_redirects(text) == (PARSED, [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("/old", "names no target"),
        ("old /new", "has a source that does not begin with a slash"),
        ("/old //evil.example", "has a target that begins with two slashes"),
        ("/old /new/:splat", "has a target that has :splat"),
        ("/old /new 303", "has a status that is 303"),
        ("/app/* /index.html 200", "asks for a rewrite"),
        ("/app/* /404.html 404", "asks for a page of a 404"),
        ("/old /new 301!", "wants to win over a file"),
        ("/old /new Country=de", "depends on a condition"),
        ("/old /new 302 Language=de", "depends on a condition"),
        ("/store id=:id /blog/:id 301", "depends on the query"),
        ("/news/:year/* /blog/:year/:splat", "has a placeholder in its source"),
        ("/news/* /blog/:year", "has a target that has the placeholder :year"),
        ("https://old.example/* https://new.example/:splat", "has a source on a host of its own"),
        ("/-/health /x", "keeps for itself"),
        ("/old /a\n/old /b", "names the source of line 1 once more"),
    ],
)
def test_what_a_redirect_cannot_do_is_named_with_its_line_and_what_to_do(line: str, reason: str) -> None:
    _, (fault,) = parse_redirects(line)
    number = 2 if "\n" in line else 1
    assert fault.name == f"_redirects, line {number}"
    assert reason in fault.reason
    assert fault.remedy


@given(st.text(st.sampled_from("/aé*:# \n\t\r%!=?0123\x00\\.") | st.characters(codec="utf-8"), max_size=60))
def test_whatever_the_file_holds_each_line_is_a_redirect_a_comment_or_a_fault(text: str) -> None:
    redirects, faults = parse_redirects(text)
    lines = [line for line in text.split("\n") if line.strip() and not line.strip().startswith("#")]
    assert len(redirects) + len(faults) <= len(lines)
    assert all(found.source == source for source, found in redirects.items())


def test_too_many_redirects_are_refused() -> None:
    _, (fault,) = parse_redirects("".join(f"/{number} /new\n" for number in range(10_001)))
    assert "10,001 redirects; 10,000 are the most" in fault.reason


def test_what_differs_from_what_is_live_is_found() -> None:
    a, b, other = Redirect("a", "/x"), Redirect("b/*", "/x"), Redirect("a", "/y")
    for mirrored, removed in ((None, ()), ("", ("b/*",)), ("b/", ("b/*",)), ("c/", ())):
        found = compare_redirects(
            {"a": other, "c": Redirect("c", "/x")}, {"a": a, "b/*": b}, mirrored=mirrored
        )
        assert found.added == (Redirect("c", "/x"),)
        assert (found.changed, found.removed) == ((other,), removed)
    assert compare_redirects({"a": a}, {"a": a}, mirrored="").changes == []


def test_the_file_becomes_the_redirects_of_the_release_and_is_not_published(
    moved: Release, import_folder: Import, source: Path
) -> None:
    assert served_paths(moved.channel) == sorted(FIRST)
    assert redirects_of(moved) == PARSED
    again = import_folder(source)
    assert (again.result, again.release, counts(again)) == (Result.LIVE, moved, (0, 0, 0))


def test_only_redirects_that_differ_make_a_release_of_their_own(
    moved: Release, import_folder: Import, source: Path
) -> None:
    site(source, "/old /css/site.css\n/new /index.html\n/caf%C3%A9 /coffee#menu 308\n")
    outcome = import_folder(source)
    assert (outcome.result, counts(outcome)) == (Result.MADE, (1, 1, 1))
    assert (outcome.added, outcome.changed, outcome.removed, outcome.unchanged) == (0, 0, 0, 3)
    assert outcome.release
    assert changes_in(outcome.release) == {}
    assert sorted(redirects_of(outcome.release)) == ["café", "new", "old"]
    again = import_folder(source)
    assert (again.result, again.release, counts(again)) == (Result.HELD, outcome.release, (0, 0, 0))
    site(source, "/old /css/site.css 302\n/new /index.html\n/caf%C3%A9 /coffee#menu 308\n")
    assert import_folder(source).release != outcome.release


def test_without_mirror_nothing_that_the_file_lacks_is_removed(
    moved: Release, import_folder: Import, source: Path
) -> None:
    outcome = import_folder(site(source, "/new /index.html\n"), mirror=False)
    assert counts(outcome) == (1, 0, 0)
    assert outcome.release
    assert sorted(redirects_of(outcome.release)) == ["blog/*", "café", "new", "old"]


def test_without_the_file_redirects_stay_as_they_are(
    moved: Release, import_folder: Import, first_folder: Path
) -> None:
    assert import_folder(first_folder).result is Result.LIVE


def test_an_empty_file_takes_every_redirect_away(moved: Release, import_folder: Import, source: Path) -> None:
    assert counts(import_folder(site(source, "# none any more\n"))) == (0, 0, 3)


def test_a_mirrored_prefix_removes_only_redirects_below_it(
    moved: Release, import_folder: Import, tmp_path: Path
) -> None:
    folder = write_files(tmp_path / "part", {"a.html": b"a", "_redirects": b"/blog/first /blog/a.html\n"})
    outcome = import_folder(folder, prefix="blog", mirror=True)
    assert counts(outcome) == (1, 0, 1)
    assert outcome.release
    assert changes_in(outcome.release) == {"blog/a.html": "added"}
    assert sorted(redirects_of(outcome.release)) == ["blog/first", "café", "old"]


def test_a_file_of_that_name_in_a_folder_is_a_file(import_folder: Import, source: Path) -> None:
    write_files(source, {**FIRST, "docs/_redirects": b"not redirects"})
    outcome = import_folder(source)
    assert "docs/_redirects" in changes_in(outcome.release)
    assert counts(outcome) == (0, 0, 0)


def test_nothing_is_imported_where_a_line_is_wrong(import_folder: Import, source: Path) -> None:
    found = reasons(import_folder, site(source, "/ok /index.html\n/old\n/x /y 200\n"))
    assert found == ["_redirects, line 3 asks for a rewrite (200)", "_redirects, line 2 names no target"]
    assert not Release.objects.exists()


@pytest.mark.parametrize(
    ("content", "reason"), [(b"\xff /new", "is not UTF-8"), (b"#" * (MAX_BYTES + 1), "is larger than 4 MB")]
)
def test_a_file_that_cannot_be_read_as_text_is_refused(
    import_folder: Import, source: Path, content: bytes, reason: str
) -> None:
    assert reasons(import_folder, site(source, content)) == [f"_redirects {reason}"]


def test_a_byte_order_mark_is_no_part_of_the_first_line(import_folder: Import, source: Path) -> None:
    outcome = import_folder(site(source, b"\xef\xbb\xbf/old /index.html"))
    assert [redirect.source for redirect in outcome.redirects.added] == ["old"]


@pytest.mark.parametrize("is_dry_run", [True, False])
def test_a_circle_is_refused_before_anything_is_written(
    import_folder: Import, source: Path, is_dry_run: bool
) -> None:
    folder = site(source, "/a /b\n/b /a\n")
    assert reasons(import_folder, folder, is_dry_run=is_dry_run) == [
        "_redirects leads visitors in circles: /a → /b → /a"
    ]


def test_files_of_the_source_end_a_chain_and_those_it_removes_do_not(
    moved: Release, import_folder: Import, source: Path, administrator: User
) -> None:
    folder = site(source, "/* /index.html\n/x/* /x/page\n", **{"x/page.html": b"x"})
    assert reasons(import_folder, folder, is_dry_run=True) == [
        "_redirects leads visitors in circles: /x/* → /x/page → /x/page"
    ]
    channels.set_options(channel=moved.channel, clean_urls=True, actor=administrator)
    moved.channel.refresh_from_db()
    assert counts(import_folder(folder, channel=moved.channel, is_dry_run=True)) == (2, 0, 3)
    (folder / "index.html").unlink()
    assert "/index.html" in reasons(import_folder, folder, channel=moved.channel, is_dry_run=True)[0]


def test_redirects_alone_do_not_empty_the_site(moved: Release, import_folder: Import, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "alone", {"_redirects": b"/new /index.html\n"})
    assert "everything would be removed" in reasons(import_folder, folder)[0]
    outcome = import_folder(folder, mirror=False)
    assert (counts(outcome), outcome.removed) == ((1, 0, 0), 0)


def test_the_command_counts_redirects(
    moved: Release, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site(source, "/old /css/site.css\n/new /index.html\n")
    call_command("import", str(source), "--dry-run", "--json")
    assert json.loads(capsys.readouterr().out)["redirects"] == {"added": 1, "changed": 1, "removed": 2}
    call_command("import", str(source), "--dry-run", "--verbosity", "0")
    assert "  redirects 1 added, 1 changed, 2 removed\n" in capsys.readouterr().out
