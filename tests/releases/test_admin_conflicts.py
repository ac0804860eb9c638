"""Conflicts, rebase, revert, promote, combine and split on the staff's pages."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from apps.accounts.models import User
from apps.releases.models import Channel, Origin, Release, Resolution
from apps.releases.services.rebasing import Choice, Decision, resolve
from tests.releases.conftest import MakeRelease, Publish, put, remove
from tests.releases.test_admin_releases import page, take
from tests.releases.test_promoting import Stage, stage, staging  # noqa: F401 - fixtures
from tests.releases.test_rebasing import TEXT, changes_of, text_of
from tests.staff import staff_client


@pytest.fixture
def behind(live: Release, publish: Publish, make_release: MakeRelease) -> Release:
    """A draft whose channel has moved: one path clashes, one merges by itself, one is only the draft's."""
    publish(put("notes.txt", TEXT), put("clash.txt", TEXT.replace("\n", "\r\n")))
    draft = make_release(
        put("notes.txt", TEXT.replace("line 1", "ours")),
        put("clash.txt", TEXT.replace("line 1", "ours").replace("\n", "\r\n")),
        put("mine.txt", "mine"),
        put("img/new.png", b"\x89PNG"),
    )
    publish(
        put("notes.txt", TEXT.replace("line 8", "theirs")),
        put("clash.txt", TEXT.replace("line 1", "theirs").replace("\n", "\r\n")),
        put("img/new.png", b"\x89PNG other"),
    )
    return draft


def post(user: User, address: str, **typed: Any) -> Any:
    return staff_client(user).post(address, typed, follow=True)


def one(release: Release, name: str) -> str:
    return f"{page(release, 'conflicts/one')}?name={name}"


def test_the_release_says_what_clashes_and_what_does_not(behind: Release, editor: User) -> None:
    answer = staff_client(editor).get(page(behind))

    assertContains(answer, "Production has moved on")
    assertContains(answer, "1 change does not clash, 3 were changed in both.")
    assertContains(answer, "changed in both; lines do not clash: merged by itself")
    assertContains(answer, "Decide conflicts, then rebase…")


def test_without_conflicts_the_main_action_rebases_in_one_click(
    spring: Release, publish: Publish, editor: User, viewer: User
) -> None:
    now = publish(put("other.txt", "other"))
    assertContains(staff_client(editor).get(page(spring)), "Rebase onto what is live</button>")
    assertContains(staff_client(viewer).get(page(spring)), f"vera may not rebase release {spring.pk}")

    answer = take(spring, editor, "rebase")

    assertContains(answer, f"Release {spring.pk} is a draft on release {now.pk}.")
    assertNotContains(answer, "has moved on")
    assertContains(answer, "Submit for review</button>")


def test_all_is_decided_on_the_page_and_kept_until_the_rebase(behind: Release, editor: User) -> None:
    address = page(behind, "conflicts")
    assertContains(staff_client(editor).get(address), "to be decided")

    refused = post(editor, address, step="rebase")
    assert refused.status_code == 409
    assertContains(refused, "have both changed clash.txt, img/new.png.", status_code=409)
    assertContains(post(editor, address, step="decide", name="img/new.png", choice="ours"), "decided by eva")
    assertContains(post(editor, address, step="forget", name="img/new.png"), "is taken back")
    assertContains(post(editor, address, step="decide_rest", choice="theirs"), "Decided about 2 conflicts.")
    answer = post(editor, address, step="rebase")

    assertRedirects(answer, page(behind))
    assert set(changes_of(behind)) == {"notes.txt", "mine.txt"}


def test_text_is_merged_in_the_browser_with_its_own_line_ends(behind: Release, editor: User) -> None:
    client = staff_client(editor)
    shown = client.get(one(behind, "clash.txt"))
    assertContains(shown, "&lt;&lt;&lt;&lt;&lt;&lt;&lt; release")
    assertContains(shown, "1 place where lines clash stands between markers")
    assertContains(shown, "What production changed")

    typed = shown.context["content"].replace("\n", "\r\n")
    refused = client.post(one(behind, "clash.txt"), {"choice": "merged", "content": typed + "typed"})
    assertContains(refused, "Markers of a conflict are left in clash.txt", status_code=409)
    assertContains(refused, "typed</textarea>", status_code=409)
    merged = TEXT.replace("line 1", "both").replace("\n", "\r\n")
    answer = client.post(one(behind, "clash.txt"), {"choice": "merged", "content": merged}, follow=True)

    assertRedirects(answer, page(behind, "conflicts"))
    assertContains(client.get(one(behind, "clash.txt")), "both")
    post(editor, page(behind, "conflicts"), step="decide_rest", choice="ours")
    take(behind, editor, "rebase")
    assert text_of(behind, "clash.txt") == merged


def test_what_is_no_text_is_chosen_as_a_whole(behind: Release, editor: User) -> None:
    answer = staff_client(editor).get(one(behind, "img/new.png"))
    assertContains(answer, "The three of them")
    assertNotContains(answer, "<textarea")
    post(editor, one(behind, "img/new.png"), choice="theirs")
    assert Resolution.objects.get().choice == Choice.THEIRS


@pytest.mark.parametrize(
    ("part", "typed", "status"),
    [
        ("conflicts", {"step": "nonsense"}, 400),
        ("conflicts", {"step": "decide", "name": "clash.txt", "choice": "nonsense"}, 400),
        ("conflicts", {"step": "decide", "name": "missing.txt", "choice": "ours"}, 409),
        ("conflicts/one", {"choice": "ours"}, 404),
    ],
)
def test_what_no_page_sends_is_refused(
    behind: Release, editor: User, part: str, typed: dict[str, str], status: int
) -> None:
    assert staff_client(editor).post(page(behind, part), typed).status_code == status
    assert staff_client(editor).post(one(behind, "clash.txt"), {"choice": "x"}).status_code == 400


def test_a_viewer_sees_conflicts_and_decides_nothing(behind: Release, viewer: User) -> None:
    client = staff_client(viewer)
    for address in (page(behind, "conflicts"), one(behind, "clash.txt")):
        answer = client.get(address)
        assertContains(answer, f"vera may not rebase release {behind.pk}")
        assertNotContains(answer, 'value="theirs"')
    forged = {"step": "decide", "name": "clash.txt", "choice": "ours"}
    assert client.post(page(behind, "conflicts"), forged).status_code == 403
    assert client.post(one(behind, "clash.txt"), {"choice": "ours"}).status_code == 403
    assert not Resolution.objects.exists()


def test_without_a_move_there_is_nothing_to_decide(spring: Release, editor: User) -> None:
    answer = staff_client(editor).get(page(spring, "conflicts"))
    assertContains(answer, "it was begun on what production serves now")
    assert staff_client(editor).get(one(spring, "css/site.css")).status_code == 404


def test_conflicts_are_paged_with_as_many_queries_for_many_as_for_few(
    live: Release, publish: Publish, make_release: MakeRelease, editor: User
) -> None:
    few = make_release(*(put(f"a/{number}.txt", "ours") for number in range(2)))
    many = make_release(*(put(f"b/{number:03}.txt", "ours") for number in range(60)))
    publish(
        *(put(f"a/{number}.txt", "theirs") for number in range(2)),
        *(put(f"b/{number:03}.txt", "theirs") for number in range(60)),
    )
    client, counts = staff_client(editor), []
    for release in (few, many):
        resolve(
            release=release,
            name=release.changes.order_by("asset__path")[0].asset.path,
            decision=Decision(Choice.OURS),
            actor=editor,
        )
        for address in (page(release, "conflicts"), page(release)):
            client.get(address)
            with CaptureQueriesContext(connection) as queries:
                client.get(address)
            counts.append(len(queries))
    assert counts[0] == counts[2]
    assert len(client.get(page(many, "conflicts")).context["rows"]) == 25
    assert len(client.get(f"{page(many, 'conflicts')}?page=3").context["rows"]) == 10


def test_a_release_is_reverted_from_its_page(live: Release, publish: Publish, editor: User) -> None:
    second = publish(put("css/site.css", "b {}"), put("new.txt", "new"))
    client = staff_client(editor)
    assertContains(client.get(page(second)), "Revert this release…")
    assertContains(
        client.get(page(second, "revert")), "<strong>2 paths</strong>: 0 added, 1 changed, 1 removed"
    )

    answer = client.post(page(second, "revert"), follow=True)

    draft = Release.objects.order_by("-pk")[0]
    assertRedirects(answer, page(draft))
    assertContains(answer, "Reverts")
    assertContains(client.get(page(second)), "Reverted by")


def test_what_cannot_be_reverted_says_why(spring: Release, editor: User, viewer: User) -> None:
    assertContains(staff_client(editor).get(page(spring, "revert")), "cannot be reverted")
    assert staff_client(editor).post(page(spring, "revert")).status_code == 409
    assert staff_client(viewer).post(page(spring, "revert")).status_code == 403


def test_staging_is_promoted_from_the_page_of_production(
    live: Release,
    stage: Stage,  # noqa: F811
    staging: Channel,  # noqa: F811
    production: Channel,
    editor: User,
) -> None:
    staged = stage(put("new.txt", "new"))
    client, channel = staff_client(editor), f"/admin/releases/channel/{production.pk}"
    assertContains(client.get(f"{channel}/change/"), f"{channel}/promote/")
    shown = client.get(f"{channel}/promote/?from=staging")
    assertContains(shown, f'data-copy="{staged.manifest_id}"')
    assertContains(shown, "What changes for visitors of production")

    stale = client.post(f"{channel}/promote/", {"digest": "0" * 64})
    assert stale.status_code == 409
    answer = client.post(f"{channel}/promote/", {"digest": staged.manifest_id}, follow=True)

    release = Release.objects.order_by("-pk")[0]
    assertRedirects(answer, page(release))
    assertContains(answer, "Promotes")
    assertContains(answer, f'data-copy="{staged.manifest_id}"')
    assertNotContains(answer, "Split in two")
    assert Origin.objects.get(release=release).manifest_id == staged.manifest_id


def test_nothing_to_promote_is_said_in_words(
    live: Release,
    staging: Channel,  # noqa: F811
    production: Channel,
    editor: User,
    viewer: User,
) -> None:
    address = f"/admin/releases/channel/{production.pk}/promote/"
    assertContains(
        staff_client(editor).get(f"{address}?from=nowhere"), "serves nothing that could be promoted"
    )
    assertContains(staff_client(viewer).get(address), "vera may not promote")
    Channel.objects.filter(pk=staging.pk).delete()
    assertContains(staff_client(editor).get(address), "There is no other channel than production.")


def test_where_production_moved_a_promotion_is_promoted_again(
    live: Release,
    stage: Stage,  # noqa: F811
    staging: Channel,  # noqa: F811
    production: Channel,
    publish: Publish,
    editor: User,
) -> None:
    stage(put("new.txt", "new"))
    client = staff_client(editor)
    client.post(
        f"/admin/releases/channel/{production.pk}/promote/", {"digest": stage(put("b", "b")).manifest_id}
    )
    release = Release.objects.order_by("-pk")[0]
    publish(put("hotfix.txt", "h"))

    answer = client.get(page(release))
    assertContains(answer, "Promote again</a>")
    assertNotContains(answer, "Decide conflicts, then rebase")


def test_drafts_are_combined_on_the_page(
    spring: Release, make_release: MakeRelease, editor: User, viewer: User
) -> None:
    other = make_release(put("css/site.css", "b {}\n"), remove("index.html"), title="Summer")
    client, address = staff_client(editor), page(spring, "combine")
    assertContains(client.get(address), f"{other.pk} · Summer")
    shown = client.get(address, {"with": other.pk})
    assertContains(shown, "4 changes in all; 1 to be decided.")
    assertContains(shown, f"That of release {other.pk}")

    refused = client.post(address, {"with": other.pk, "title": "Both"})
    assertContains(refused, "They change differently: css/site.css.", status_code=409)
    typed = {
        "with": other.pk,
        "title": "Both",
        "conflict": "css/site.css",
        "take:css/site.css": "merged",
        "content:css/site.css": "typed {}",
    }
    answer = client.post(address, typed, follow=True)

    made = Release.objects.order_by("-pk")[0]
    assertRedirects(answer, page(made))
    assert (made.title, text_of(made, "css/site.css")) == ("Both", "typed {}")
    assertContains(client.get(page(other)), "Combined into")
    rest = client.post(address, {"with": other.pk, "title": "", "rest": other.pk}, follow=True)
    assertContains(rest, "holds what release")
    chosen = {**typed, "take:css/site.css": str(spring.pk)}
    client.post(address, chosen)
    assert text_of(Release.objects.order_by("-pk")[0], "css/site.css") == "a { color: blue }"
    assert staff_client(viewer).post(address, typed).status_code == 403
    assertContains(staff_client(viewer).get(address), "vera may not edit release")


def test_drafts_that_cannot_be_combined_say_why(
    spring: Release, make_release: MakeRelease, publish: Publish, editor: User
) -> None:
    publish(put("later.txt", "later"))
    other = make_release(put("a.txt", "a"))
    answer = staff_client(editor).get(page(spring, "combine"), {"with": other.pk})
    assertContains(answer, "were begun on different releases")


def test_a_draft_is_split_on_the_page(spring: Release, editor: User, viewer: User) -> None:
    client, address = staff_client(editor), page(spring, "split")
    assertContains(client.get(address), 'value="css/site.css"')

    nothing = client.post(address, {"title": "Styles"})
    assertContains(nothing, "No change of release", status_code=409)
    assertContains(nothing, 'value="Styles"', status_code=409)
    answer = client.post(address, {"title": "Styles", "name": ["css/site.css"]}, follow=True)

    made = Release.objects.order_by("-pk")[0]
    assertRedirects(answer, page(made))
    assertContains(answer, "Was split from")
    assert changes_of(made) == {"css/site.css": "put"}
    assert staff_client(viewer).post(address, {"kind": "removed"}).status_code == 403
