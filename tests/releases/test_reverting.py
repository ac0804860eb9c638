"""One release is taken back, and what came after it stays."""

import pytest

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.releases.exceptions import BaseMoved, NothingToRevert
from apps.releases.models import Origin, Release
from apps.releases.selectors import live_publication
from apps.releases.services import publishing, review
from apps.releases.services.rebasing import Choice, Decision, rebase
from apps.releases.services.redirects import put_redirect
from apps.releases.services.reverting import revert
from tests.releases.conftest import FIRST_SITE, MakeRelease, Publish, put, remove, served
from tests.releases.test_rebasing import changes_of, new_version, pinned, text_of
from tests.releases.test_release_redirects import bring_live


def test_a_release_that_is_live_is_taken_back_to_what_was_before_it(
    live: Release, publish: Publish, editor: User
) -> None:
    second = publish(put("css/site.css", "a { color: blue }"), put("new.txt", "new"), remove("js/old.js"))

    draft = revert(release=second, actor=editor)

    assert (draft.state, draft.base, draft.owner) == (Release.State.DRAFT, second, editor)
    assert changes_of(draft) == {"css/site.css": "put", "new.txt": "remove", "js/old.js": "put"}
    submitted = review.submit(release=draft, actor=editor)
    assert served(submitted) == served(live)
    assert submitted.manifest_id == live.manifest_id


def test_what_later_releases_changed_stays(live: Release, publish: Publish, editor: User) -> None:
    second = publish(put("css/site.css", "a { color: blue }"), put("new.txt", "new"))
    third = publish(put("index.html", "<h1>Three</h1>"), put("later.txt", "later"))

    draft = revert(release=second, actor=editor)

    assert draft.base == third
    submitted = review.submit(release=draft, actor=editor)
    expected = served(third) | {"css/site.css": served(live)["css/site.css"]}
    del expected["new.txt"]
    assert served(submitted) == expected


def test_what_was_changed_again_since_has_to_be_decided(
    live: Release, publish: Publish, editor: User
) -> None:
    second = publish(put("css/site.css", "a { color: blue }"), put("new.txt", "new"))
    third = publish(put("css/site.css", "a { color: green }"))

    draft = revert(release=second, actor=editor)

    assert draft.base == second
    with pytest.raises(BaseMoved, match=r"Changed in both: css/site\.css"):
        review.submit(release=draft, actor=editor)
    rebased = rebase(release=draft, actor=editor, resolutions={"css/site.css": Decision(Choice.OURS)})
    assert rebased.base == third
    assert text_of(rebased, "css/site.css") == FIRST_SITE["css/site.css"]
    assert changes_of(rebased) == {"css/site.css": "put", "new.txt": "remove"}


def test_lines_of_later_releases_are_kept_where_they_do_not_clash(
    live: Release, publish: Publish, editor: User
) -> None:
    lines = [f"line {number}\n" for number in range(9)]
    publish(put("notes.txt", "".join(lines)))
    second = publish(put("notes.txt", "".join(lines).replace("line 1", "second")))
    publish(put("notes.txt", "".join(lines).replace("line 1", "second").replace("line 7", "third")))

    draft = revert(release=second, actor=editor)

    assert text_of(draft, "notes.txt") == "".join(lines).replace("line 7", "third")


def test_redirects_and_cache_rules_return_too(
    live: Release, make_release: MakeRelease, publish: Publish, editor: User, manager: User
) -> None:
    new_version("pages", manager)
    second = make_release(put("new.txt", "new"))
    put_redirect(release=second, source="/old", target="/index.html", actor=editor)
    bring_live(second, editor, manager)
    new_version("everything", manager)
    publish(put("later.txt", "later"))

    draft = revert(release=second, actor=editor)

    assert list(draft.redirect_changes.values_list("kind", "source")) == [("remove", "old")]
    assert (pinned(draft, "pages"), pinned(draft, "everything")) == (1, 2)


def test_a_redirect_that_was_changed_leads_again_where_it_led(
    live: Release, make_release: MakeRelease, editor: User, manager: User
) -> None:
    for target in ("/index.html", "/css/site.css"):
        release = make_release()
        put_redirect(release=release, source="/old", target=target, actor=editor)
        bring_live(release, editor, manager)

    draft = revert(release=release, actor=editor)

    assert list(draft.redirect_changes.values_list("source", "target")) == [("old", "/index.html")]


def test_a_release_that_was_rolled_back_has_nothing_left_to_revert(
    live: Release, publish: Publish, manager: User
) -> None:
    second = publish(put("css/site.css", "a { color: blue }"))
    publishing.roll_back(channel=second.channel, reason="broken", actor=manager)

    with pytest.raises(NothingToRevert, match="Nothing of what release"):
        revert(release=second, actor=manager)
    assert not Release.objects.filter(title__startswith="Revert").exists()


def test_what_was_never_live_is_not_reverted(spring: Release, editor: User) -> None:
    with pytest.raises(NothingToRevert, match="is draft"):
        revert(release=spring, actor=editor)


def test_a_revert_can_be_reverted(live: Release, publish: Publish, editor: User, manager: User) -> None:
    second = publish(put("css/site.css", "a { color: blue }"))
    first_revert = revert(release=second, actor=editor)
    bring_live(first_revert, editor, manager)
    now = live_publication(live.channel)
    assert now
    assert now.manifest_id == live.manifest_id

    again = review.submit(release=revert(release=now.release, actor=editor), actor=editor)

    assert again.manifest_id == second.manifest_id


def test_the_first_release_is_reverted_to_an_empty_site(live: Release, editor: User) -> None:
    draft = revert(release=live, actor=editor)
    assert changes_of(draft) == dict.fromkeys(FIRST_SITE, "remove")


def test_where_it_comes_from_and_who_did_it_is_kept(live: Release, publish: Publish, editor: User) -> None:
    second = publish(put("css/site.css", "a { color: blue }"))
    draft = revert(release=second, actor=editor)

    origin = Origin.objects.get(release=draft)
    assert (origin.kind, origin.source) == (Origin.Kind.REVERT, second)
    entry = AuditEntry.objects.get(action="release.revert")
    assert entry.target == f"release {draft.pk}"
    assert f"which reverts release {second.pk}" in entry.summary


def test_a_viewer_reverts_nothing(live: Release, viewer: User) -> None:
    with pytest.raises(Forbidden):
        revert(release=live, actor=viewer)
