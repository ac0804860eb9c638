"""The redirects of a release, through the staff door and by command."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.models import User
from apps.releases.models import RedirectChange, Release
from apps.releases.redirects.selectors import redirects_of
from apps.releases.services import review
from apps.releases.services.redirects import put_redirect, remove_redirect
from tests.releases.conftest import MakeRelease
from tests.releases.test_commands import refused, run
from tests.releases.test_release_redirects import bring_live
from tests.staff import staff_client

Capture = pytest.CaptureFixture[str]
LIST = "/admin/releases/release/"


def page(release: Release, part: str = "change") -> str:
    return f"{LIST}{release.pk}/{part}/"


def add(release: Release, user: User, **typed: object) -> Any:
    form = {"step": "put_redirect", "source": "/old", "target": "/index.html", "status": 308, **typed}
    return staff_client(user).post(page(release), form, follow=True)


@pytest.fixture
def moved(live: Release, make_release: MakeRelease, editor: User, manager: User) -> Release:
    """Release 2, live: /old leads to the start page, /index.html to a style sheet, were it not served."""
    release = make_release(title="Moved")
    put_redirect(release=release, source="/old", target="/index.html", actor=editor)
    put_redirect(release=release, source="/index.html", target="/css/site.css", status=302, actor=editor)
    return bring_live(release, editor, manager)


def test_a_release_without_redirects_says_so_and_offers_to_add_one(spring: Release, editor: User) -> None:
    answer = staff_client(editor).get(page(spring))
    assertContains(answer, "It changes no redirect.")
    assertContains(answer, "Add a redirect")
    assertNotContains(answer, "as it is</summary>")


def test_an_editor_adds_a_redirect_and_takes_it_out_again(spring: Release, editor: User) -> None:
    answer = add(spring, editor, source="/old/*", target="/new/:splat", status=301)
    assertContains(answer, "/old/* leads to /new/:splat with this release.")
    assertContains(answer, "1 changed redirect<")
    change = spring.redirect_changes.get()
    assert (change.source, change.target, change.status) == ("old/*", "/new/:splat", 301)
    form = {"step": "discard_redirect", "change": change.pk}
    assertContains(staff_client(editor).post(page(spring), form, follow=True), "The change of /old/* is out.")
    assert not spring.redirect_changes.exists()
    assert staff_client(editor).post(page(spring), form).status_code == 404
    assert staff_client(editor).post(page(spring), {**form, "change": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"source": "old"}, "source", "does not begin with a slash"),
        ({"source": ""}, "source", "required"),
        ({"target": "//evil.example"}, "target", "another site"),
        ({"target": "/old"}, "target", "Visitors would go in circles: /old → /old"),
        ({"status": 200}, "status", "not one of the available choices"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(
    spring: Release, editor: User, typed: dict[str, object], field: str, words: str
) -> None:
    answer = add(spring, editor, **typed)
    assert answer.status_code == 400
    assert words in str(answer.context["redirect_form"].errors[field])
    assert answer.context["redirect_form"]["source"].value() == typed.get("source", "/old")
    assertContains(answer, '<details class="redirect-form" open>', status_code=400)
    assert not spring.redirect_changes.exists()


def test_who_may_not_change_a_release_adds_nothing(spring: Release, viewer: User) -> None:
    assertNotContains(staff_client(viewer).get(page(spring)), "Add a redirect")
    assert add(spring, viewer).status_code == 403
    assert not spring.redirect_changes.exists()


def test_a_release_that_is_no_draft_shows_its_redirects_and_takes_none(moved: Release, editor: User) -> None:
    answer = staff_client(editor).get(page(moved))
    assertContains(answer, "2 changed redirects")
    assertNotContains(answer, "Take out")
    assertNotContains(answer, "Add a redirect")
    assert add(moved, editor, source="/other").status_code == 409


def test_a_redirect_that_a_file_shadows_is_marked(moved: Release, editor: User) -> None:
    answer = staff_client(editor).get(page(moved))
    assertContains(answer, "Shadowed: a file is served there, and a file wins.", count=1)


def test_redirects_that_stay_are_listed_and_can_be_removed(
    moved: Release, make_release: MakeRelease, editor: User
) -> None:
    release = make_release()
    assertContains(staff_client(editor).get(page(release)), "2 redirects stay as they are")
    form = {"step": "remove_redirect", "source": "/old"}
    answer = staff_client(editor).post(page(release), form, follow=True)
    assertContains(answer, "/old leads nowhere with this release.")
    assertContains(answer, "nowhere any more")
    assertContains(answer, "1 redirect stays as it is")
    assert "old" not in redirects_of(release)
    assert staff_client(editor).post(page(release), form).status_code == 409


def test_a_changed_redirect_shows_where_it_led_before(
    moved: Release, make_release: MakeRelease, editor: User
) -> None:
    release = make_release()
    answer = add(release, editor, target="https://new.example/")
    assertContains(answer, "<del><code>/index.html</code>")
    assertContains(answer, "<code>https://new.example/</code>")


def test_many_redirects_come_in_pages_and_in_few_queries(
    spring: Release, editor: User, django_assert_max_num_queries: Any
) -> None:
    words = {"kind": "put", "target": "/index.html", "status": 308}
    RedirectChange.objects.bulk_create(
        RedirectChange(release=spring, source=f"a{number:03}/*", author=editor, **words)
        for number in range(60)
    )
    client = staff_client(editor)
    with django_assert_max_num_queries(60):
        answer = client.get(page(spring), {"kind": "added"})
    assertContains(answer, "/a000/*")
    assertNotContains(answer, "/a030/*")
    assertContains(answer, 'href="?kind=added&amp;redirects=2#redirects"')
    assertContains(client.get(page(spring), {"redirects": 2}), "/a030/*")


def test_the_list_counts_redirects(moved: Release, viewer: User) -> None:
    assertContains(staff_client(viewer).get(LIST), "0 removed, 2 redirects")


def test_publishing_and_rolling_back_show_what_leads_elsewhere(
    moved: Release, make_release: MakeRelease, editor: User, manager: User, other_manager: User
) -> None:
    release = make_release()
    remove_redirect(release=release, source="/old", actor=editor)
    put_redirect(release=release, source="/b", target="/css/site.css", status=301, actor=editor)
    submitted = review.submit(release=release, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    answer = staff_client(other_manager).get(page(release, "publish"))
    assertContains(answer, "<strong>2 redirects</strong> lead elsewhere")
    assertContains(answer, "<code>/css/site.css</code>")
    assertNotContains(answer, "0 paths")
    back = f"/admin/releases/channel/{moved.channel_id}/roll-back/1/"
    assertContains(staff_client(manager).get(back), "<code>/old</code>")


def test_redirects_are_put_and_removed_by_command(
    moved: Release, make_release: MakeRelease, capsys: Capture
) -> None:
    number = make_release().pk
    report = run(capsys, "release", "redirect", number, "/b/*", "/new/:splat", "--status", 301, "--as", "eva")
    assert report["redirects"] == [
        {"source": "/b/*", "kind": "added", "target": "/new/:splat", "status": 301, "shadowed": False}
    ]
    run(capsys, "release", "redirect", number, "/index.html", "/b/x", "--as", "eva")
    report = run(capsys, "release", "redirect", number, "/old", "--remove", "--as", "eva")
    assert run(capsys, "release", "show", number)["redirects"] == report["redirects"]
    assert report["redirects"][1:] == [
        {"source": "/index.html", "kind": "changed", "target": "/b/x", "status": 308, "shadowed": True},
        {"source": "/old", "kind": "removed", "target": None, "status": None, "shadowed": False},
    ]
    call_command("release", "show", str(number))
    out = capsys.readouterr().out
    assert "+ /b/* → /new/:splat (301)" in out
    assert "~ /index.html → /b/x (308), shadowed by a file" in out
    assert "- /old → nowhere any more" in out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("old", "/new"), "invalid_redirect"),
        (("/old", "/old"), "redirect_loop"),
        (("/older", "--remove"), "unknown_redirect"),
    ],
)
def test_a_redirect_that_cannot_be_is_refused_by_command(
    spring: Release, administrator: User, capsys: Capture, words: tuple[str, ...], code: str
) -> None:
    error = refused(capsys, "release", "redirect", spring.pk, *words)
    assert error["code"] == code
    assert error["next"]


@pytest.mark.parametrize("words", [(), ("/new", "--remove"), ("--remove", "--status", "301")])
def test_a_command_that_names_neither_or_both_is_a_mistake(spring: Release, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="Name a target") as error:
        call_command("release", "redirect", str(spring.pk), "/old", *words)
    assert error.value.returncode == 2


def test_a_diff_lists_redirects_after_paths(
    moved: Release, live: Release, administrator: User, capsys: Capture
) -> None:
    rows = run(capsys, "release", "diff", live.pk, moved.pk)
    assert rows[1] == {
        "path": "/old",
        "kind": "redirect_added",
        "old_target": None,
        "old_status": None,
        "new_target": "/index.html",
        "new_status": 308,
    }
    call_command("release", "diff", str(moved.pk), str(live.pk))
    assert "- /old\n" in capsys.readouterr().out
    call_command("release", "diff", str(live.pk), str(moved.pk))
    assert "+ /old → /index.html (308)" in capsys.readouterr().out
