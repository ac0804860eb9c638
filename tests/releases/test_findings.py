"""What a build found wrong: told apart from what the base had, on pages and by command, in any number."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.models import User
from apps.assets import store
from apps.releases.manifest import Finding
from apps.releases.models import Channel, Release
from apps.releases.review import findings
from apps.releases.review.findings import KINDS, SHOWN_OF_A_KIND, FindingList, Judged, Lint, State, lint_of
from apps.releases.services import channels, review
from apps.releases.services.redirects import put_redirect
from tests.releases.conftest import MakeRelease, Publish, put, remove
from tests.releases.test_commands import refused, run
from tests.staff import staff_client

Capture = pytest.CaptureFixture[str]
LIST = "/admin/releases/release/"
BROKEN = {
    "index.html": '<link rel=stylesheet href=css/gone.css><img src="img/there.png">',
    "old.html": '<img src="img/lost.png">',
    "img/there.png": "x",
}


@pytest.fixture
def first(named: Channel, publish: Publish) -> Release:
    """Release 1, live: two of its references lead nowhere."""
    return publish(*(put(path, text) for path, text in BROKEN.items()))


@pytest.fixture
def second(first: Release, make_release: MakeRelease, editor: User) -> Release:
    """Release 2, in review: it mends one reference, breaks two, and leaves one as it was."""
    changes = (
        put("css/gone.css", "a {}"),
        remove("img/there.png"),
        put("js/app.js", "import 'x"),
        put("new.html", '<script integrity="sha384-AAAA" src="js/app.js"></script>'),
    )
    return review.submit(release=make_release(*changes), actor=editor)


def page(release: Release, part: str = "change") -> str:
    return f"{LIST}{release.pk}/{part}/"


def listed(release: Release, **asked: Any) -> list[tuple[str, str, str, bool]]:
    return [
        (each.finding.path, each.finding.kind, each.finding.detail, each.is_new)
        for each in FindingList(release, **asked)
    ]


MISSING, INTEGRITY = "missing_reference", "wrong_integrity"
IN_SECOND = [
    ("index.html", MISSING, "img/there.png", True),
    ("new.html", INTEGRITY, "js/app.js", True),
    ("old.html", MISSING, "img/lost.png", False),
]


def test_what_a_release_breaks_is_told_apart_from_what_its_base_had(second: Release) -> None:
    assert listed(second) == IN_SECOND
    lint = lint_of(second)
    assert (lint.state, lint.total, lint.new, lint.known, lint.mended) == (State.CHECKED, 3, 2, 1, 1)
    assert [(each.name, each.total, each.new) for each in lint.kinds] == [(MISSING, 2, 1), (INTEGRITY, 1, 1)]
    assert [each.judged.finding.detail for each in lint.kinds[0].samples] == ["img/there.png"]


def test_findings_can_be_narrowed(second: Release) -> None:
    assert listed(second, is_new_only=True) == IN_SECOND[:2]
    assert listed(second, kind=MISSING) == [IN_SECOND[0], IN_SECOND[2]]
    assert listed(second, kind=MISSING, is_new_only=True, prefix="o") == []
    assert listed(second, prefix="new") == [IN_SECOND[1]]
    found = FindingList(second)
    assert len(found) == 3
    assert [each.path for each in found[1:3]] == ["new.html", "old.html"]
    assert found[2].path == "old.html"


def test_everything_comes_with_a_first_release(first: Release) -> None:
    lint = lint_of(first)
    assert (lint.total, lint.new, lint.is_compared) == (2, 2, True)


def test_nothing_is_new_where_the_base_was_not_looked_at(
    production: Channel,
    publish: Publish,
    administrator: User,
    make_release: MakeRelease,
    editor: User,
    capsys: Capture,
) -> None:
    plain = publish(*(put(path, text) for path, text in BROKEN.items()))
    assert lint_of(plain).state is State.NOT_CHECKED
    channels.set_options(channel=production, actor=administrator, fingerprints=True)
    release = review.submit(release=make_release(), actor=editor)
    assert not lint_of(release).is_compared
    report = run(capsys, "release", "show", release.pk)["findings"]
    assert (report["total"], report["new"], report["mended"]) == (2, None, None)
    assert [each["new"] for each in report["first"]] == [None, None]
    answer = staff_client(editor).get(page(release))
    assertContains(answer, "2 findings</h2>")
    assertContains(answer, "cannot be told")
    assertNotContains(staff_client(editor).get(page(release, "findings")), "Since")


def test_a_page_tells_new_findings_by_kind_and_counts_the_others(second: Release, editor: User) -> None:
    answer = staff_client(editor).get(page(second))
    assertContains(answer, "2 new findings</h2>")
    assertContains(answer, "2 new findings: Missing file 1 · Wrong integrity 1.")
    assertContains(answer, "refers to <code>img/there.png</code>, which is not served.")
    assertContains(answer, "loads <code>js/app.js</code> with an integrity of other bytes.")
    assertContains(answer, KINDS[INTEGRITY].advice)
    assertContains(answer, "Its base had 1 as well, and 1 more that is mended.")
    assertNotContains(answer, "img/lost.png")
    change = second.changes.get(asset__path="new.html")
    assertContains(answer, f'<a href="{LIST}{second.pk}/changes/{change.pk}/"><code>new.html</code></a>')


def test_a_file_that_goes_says_who_still_refers_to_it(
    second: Release, make_release: MakeRelease, editor: User
) -> None:
    assertContains(staff_client(editor).get(page(second)), "index.html still refers to it</span>")
    answered = make_release(remove("img/there.png"), put("z.html", '<img src="img/there.png">'))
    put_redirect(release=answered, source="/img/there.png", target="/old.html", actor=editor)
    review.submit(release=answered, actor=editor)
    assertNotContains(staff_client(editor).get(page(answered)), "still refers to it")
    missed = make_release(remove("img/there.png"), put("z.html", '<img src="img/there.png">'))
    review.submit(release=missed, actor=editor)
    assertContains(staff_client(editor).get(page(missed)), "index.html still refers to it, and 1 more")


def test_publishing_is_reminded_of_what_a_release_breaks(second: Release, manager: User) -> None:
    review.approve(release=second, digest=second.manifest_id or "", actor=manager)
    answer = staff_client(manager).get(page(second, "publish"))
    assertContains(answer, "2 new findings:")
    assertContains(answer, f'href="{page(second)}#findings"')


def test_a_release_that_breaks_nothing_says_so(
    first: Release, make_release: MakeRelease, editor: User
) -> None:
    clean = make_release(put("css/gone.css", "a {}"), put("img/lost.png", "x"))
    release = review.submit(release=clean, actor=editor)
    answer = staff_client(editor).get(page(release))
    assertContains(answer, "No findings</h2>")
    assertContains(answer, "Every reference that was looked at leads to a file.")
    assertContains(answer, "2 of its base are mended.")
    assertNotContains(answer, "notice-remark")
    assertContains(staff_client(editor).get(page(release, "findings")), "Nothing was found.")


def test_a_release_that_leaves_things_as_they_were_is_not_reproached(
    first: Release, make_release: MakeRelease, editor: User
) -> None:
    release = review.submit(release=make_release(put("a.txt", "a")), actor=editor)
    answer = staff_client(editor).get(page(release))
    assertContains(answer, "No new findings</h2>")
    assertContains(answer, "Its base had 2 as well.")
    assertNotContains(answer, "notice-remark")


def test_a_draft_says_when_references_are_looked_at(
    first: Release, make_release: MakeRelease, editor: User, administrator: User, capsys: Capture
) -> None:
    draft = make_release(put("a.txt", "a"))
    assert lint_of(draft) == Lint(State.NOT_BUILT)
    assertContains(staff_client(editor).get(page(draft)), "looked at when it is submitted for review")
    assertContains(staff_client(editor).get(page(draft, "findings")), "Nothing was found.")
    assert run(capsys, "release", "show", draft.pk)["findings"]["state"] == "not_built"
    assert refused(capsys, "release", "findings", draft.pk)["code"] == "manifest_missing"
    channels.set_options(channel=draft.channel, actor=administrator, fingerprints=False)
    assertContains(staff_client(editor).get(page(draft)), "builds releases without fingerprinted names")


def test_a_release_from_before_the_names_says_why_nothing_was_looked_at(
    live: Release, editor: User, administrator: User
) -> None:
    channels.set_options(channel=live.channel, actor=administrator, fingerprints=True)
    assertContains(staff_client(editor).get(page(live)), "built before production had fingerprinted names")


def test_a_channel_without_names_says_how_to_have_references_looked_at(
    live: Release, editor: User, capsys: Capture
) -> None:
    answer = staff_client(editor).get(page(live))
    assertContains(answer, "References between files are not looked at")
    assertContains(answer, f"/admin/releases/channel/{live.channel_id}/change/#options")
    assert run(capsys, "release", "findings", live.pk) == []
    call_command("release", "show", str(live.pk))
    assert "references were not looked at" in capsys.readouterr().out


def test_a_manifest_that_storage_lacks_is_said(
    first: Release, make_release: MakeRelease, editor: User, storage_folder: Path
) -> None:
    release = review.submit(release=make_release(put("unique.txt", "a")), actor=editor)
    assert release.manifest
    (storage_folder / release.manifest.file_name).unlink()
    assert lint_of(release).state is State.UNREADABLE
    assertContains(staff_client(editor).get(page(release)), "storage lacks the manifest")
    assertContains(staff_client(editor).get(page(release, "findings")), "Nothing was found.")


def test_findings_are_listed_by_command(second: Release, capsys: Capture) -> None:
    report = run(capsys, "release", "show", second.pk)["findings"]
    assert report["kinds"] == {MISSING: 2, INTEGRITY: 1}
    assert (report["state"], report["total"], report["new"], report["mended"]) == ("checked", 3, 2, 1)
    assert report["first"][0] == {
        "path": "index.html",
        "kind": MISSING,
        "detail": "img/there.png",
        "new": True,
        "others": 0,
    }
    everything = run(capsys, "release", "findings", second.pk)
    assert [(row["path"], row["new"]) for row in everything] == [(row[0], row[3]) for row in IN_SECOND]
    assert run(capsys, "release", "findings", second.pk, "--new", "--kind", INTEGRITY) == everything[1:2]
    assert run(capsys, "release", "findings", second.pk, "--below", "old") == everything[2:]
    call_command("release", "show", str(second.pk))
    call_command("release", "findings", str(second.pk))
    call_command("release", "findings", str(second.pk), "--below", "nothing")
    out = capsys.readouterr().out
    assert "Findings: 2 new, 3 in all, 1 mended" in out
    assert "+ index.html refers to img/there.png, which is not served.\n" in out
    assert "  old.html refers to img/lost.png" in out
    assert "No finding fits." in out


def test_a_file_that_many_miss_is_told_once_and_first(
    first: Release, make_release: MakeRelease, editor: User, capsys: Capture
) -> None:
    pages = [put(f"{number}.html", "<script src=lost.js></script>") for number in range(9)]
    alone = put("0/a.html", "<img src=alone.png>")
    release = review.submit(release=make_release(*pages, alone), actor=editor)
    (missing,) = lint_of(release).kinds
    assert [(each.judged.path, each.others) for each in missing.samples] == [("0.html", 8), ("0/a.html", 0)]
    assert (missing.new, missing.unnamed) == (10, 0)
    assertContains(staff_client(editor).get(page(release)), "8 other files as well.")
    call_command("release", "show", str(release.pk))
    out = capsys.readouterr().out
    assert "0.html refers to lost.js, which is not served. 8 other files as well." in out
    assert "more of the kind" not in out


MANY = 10_000


@pytest.fixture
def many(named: Channel, publish: Publish, make_release: MakeRelease, editor: User) -> Release:
    """A release in review with 10,000 findings, every one of them new, on a base with one."""
    publish(put("old.html", BROKEN["old.html"]))
    page = "".join(f'<img src="img/{number:05}.png">' for number in range(MANY))
    return review.submit(release=make_release(put("gallery.html", page)), actor=editor)


def test_ten_thousand_findings_come_in_pages_and_in_few_queries(
    many: Release, editor: User, django_assert_max_num_queries: Any, capsys: Capture
) -> None:
    client = staff_client(editor)
    with django_assert_max_num_queries(60):
        answer = client.get(page(many))
    assertContains(answer, "10000 new findings</h2>")
    assertContains(answer, "which is not served.", count=SHOWN_OF_A_KIND)
    assertContains(answer, f"?new=1&amp;kind={MISSING}")
    assertContains(answer, f"and {MANY - SHOWN_OF_A_KIND} more")
    with django_assert_max_num_queries(20):
        answer = client.get(page(many, "findings"), {"page": "100", "new": "1", "kind": MISSING})
    assertContains(answer, "10000 of 10000</span>")
    assertContains(answer, "<code>img/09999.png</code>")
    assertContains(answer, f"?page=99&amp;new=1&amp;kind={MISSING}#list")
    assertContains(client.get(page(many, "findings"), {"below": "/old"}), "img/lost.png")
    assertContains(client.get(page(many, "findings"), {"below": "none"}), "No finding fits.")
    assertContains(client.get(page(many, "findings"), {"kind": "no such"}), "of 10001")
    call_command("release", "show", str(many.pk))
    assert f"and {MANY - SHOWN_OF_A_KIND} more of the kind {MISSING}" in capsys.readouterr().out


def test_counting_is_done_once(many: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    lint_of(many)
    monkeypatch.setattr(findings, "open_manifest", None)
    assert lint_of(many).total == MANY + 1


def test_every_kind_that_is_found_is_explained_here_and_in_the_documentation() -> None:
    code = "".join(file.read_text() for file in Path("apps/releases/references").glob("*.py"))
    found = set(re.findall(r'(?:complain\(|Finding\(path, |kind=|kind: str = )"(\w+)"', code)) | {MISSING}
    assert found == set(KINDS)
    documented = Path("docs/fingerprints.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in documented] == []


def test_a_kind_of_a_later_version_is_shown_by_its_own_name() -> None:
    judged = Judged(Finding("a.html", "odd_thing", "b"), is_there=True, was_there=False)
    assert (judged.kind.title, judged.words) == ("Odd thing", "b")


def test_the_names_of_files_are_listed_and_shown_where_they_changed(
    second: Release, first: Release, editor: User, capsys: Capture
) -> None:
    rows = {row["path"]: row for row in run(capsys, "release", "names", first.pk)}
    name = rows["img/there.png"]["name"]
    assert re.fullmatch(r"img/there\.[0-9a-f]{12}\.png", name)
    assert rows["index.html"] == {"path": "index.html", "name": None, "rewritten": True}
    assert not rows["old.html"]["rewritten"]
    assert [row["path"] for row in run(capsys, "release", "names", first.pk, "img/")] == ["img/there.png"]
    call_command("release", "names", str(first.pk))
    out = capsys.readouterr().out
    assert f"img/there.png → {name}\n" in out
    assert "index.html → no other name, rewritten\n" in out
    change = first.changes.get(asset__path="img/there.png")
    for address in (page(first), page(first, f"changes/{change.pk}")):
        assertContains(staff_client(editor).get(address), f"<code>{name}</code>")
    entry = first.changes.get(asset__path="index.html")
    assert entry.version
    assert store.read_blob(entry.version.blob.digest).decode() == BROKEN["index.html"]
    assertContains(staff_client(editor).get(page(first)), "img src=&quot;img/there.png&quot;")
