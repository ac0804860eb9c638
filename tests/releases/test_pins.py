"""A release ships with cache rules and with how they combine: whatever makes it out of another keeps both."""

from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.caching.rules import Combination
from apps.caching.services import choose_combination
from apps.releases.models import Channel, Publication, Release
from apps.releases.rolling_back.preview import preview_roll_back
from apps.releases.selectors import channel_named, live_publication
from apps.releases.services import drafts, publishing, review
from apps.releases.services.combining import combine
from apps.releases.services.drills import start_drill
from apps.releases.services.pinning import begin_with_rules, take_rules
from apps.releases.services.promoting import promote
from apps.releases.services.rebasing import rebase
from apps.releases.services.reverting import revert
from apps.releases.services.splitting import Selection, split
from tests.releases.conftest import MakeRelease, Publish, put
from tests.releases.test_promoting import WORDS
from tests.releases.test_release_redirects import bring_live
from tests.staff import staff_client

FIRST, MERGE = Combination


def choose(combination: Combination, actor: User) -> None:
    choose_combination(combination=combination, reason="Tried.", actor=actor)


@pytest.fixture
def merging(live: Release, manager: User) -> Release:
    """What is live lets the first rule decide; from now on rules are merged."""
    choose(MERGE, manager)
    return live


def test_a_release_that_is_begun_pins_how_rules_combine_today(
    merging: Release, make_release: MakeRelease
) -> None:
    assert (merging.rule_combination, make_release().rule_combination) == (FIRST, MERGE)


def test_a_rebased_release_combines_as_what_is_live_by_now(
    merging: Release, manager: User, editor: User, make_release: MakeRelease, publish: Publish
) -> None:
    choose(FIRST, manager)
    mine = make_release(put("mine.txt", "mine"))
    choose(MERGE, manager)
    publish(put("other.txt", "other"))

    assert rebase(release=mine, actor=editor).rule_combination == MERGE


def test_a_rebased_release_keeps_the_combination_that_only_it_has_changed(
    merging: Release, manager: User, editor: User, make_release: MakeRelease, publish: Publish
) -> None:
    mine = make_release(put("mine.txt", "mine"))
    choose(FIRST, manager)
    publish(put("other.txt", "other"))

    assert rebase(release=mine, actor=editor).rule_combination == MERGE


def test_a_release_begun_before_anything_was_live_is_rebased_with_its_combination(
    production: Channel, manager: User, editor: User, make_release: MakeRelease, publish: Publish
) -> None:
    choose(MERGE, manager)
    mine = make_release(put("mine.txt", "mine"))
    choose(FIRST, manager)
    publish(put("other.txt", "other"))

    assert rebase(release=mine, actor=editor).rule_combination == MERGE


def test_reverting_gives_back_how_rules_were_combined(
    merging: Release, editor: User, make_release: MakeRelease, publish: Publish
) -> None:
    second = publish(put("new.txt", "new"))
    assert second.rule_combination == MERGE

    assert revert(release=second, actor=editor).rule_combination == FIRST


def test_a_release_that_changed_only_the_combination_can_be_reverted(
    merging: Release, manager: User, editor: User, viewer: User, make_release: MakeRelease
) -> None:
    second = make_release()
    with pytest.raises(Forbidden, match=f"change release {second.pk}"):
        take_rules(release=second, actor=viewer)
    with pytest.raises(Forbidden, match="make a release"):
        begin_with_rules(channel=second.channel, title="", actor=viewer)
    take_rules(release=second, actor=editor)
    bring_live(second, editor, manager)

    draft = revert(release=second, actor=editor)
    assert (draft.rule_combination, draft.changes.count()) == (FIRST, 0)


def test_reverting_below_later_releases_keeps_what_they_chose(
    merging: Release, manager: User, editor: User, publish: Publish
) -> None:
    choose(FIRST, manager)
    second = publish(put("new.txt", "new"))
    choose(MERGE, manager)
    publish(put("later.txt", "later"))

    assert revert(release=second, actor=editor).rule_combination == MERGE


def test_a_part_that_is_split_off_combines_as_the_whole(
    merging: Release, manager: User, editor: User, make_release: MakeRelease
) -> None:
    whole = make_release(put("a.txt", "a"), put("b.txt", "b"))
    choose(FIRST, manager)

    part = split(release=whole, selection=Selection(names=["a.txt"]), title="", actor=editor)
    assert part.rule_combination == MERGE


@pytest.mark.parametrize("is_first_changed", [True, False])
def test_combined_drafts_combine_rules_as_the_one_that_has_changed_it(
    live: Release, manager: User, editor: User, make_release: MakeRelease, *, is_first_changed: bool
) -> None:
    ways = [MERGE, FIRST] if is_first_changed else [FIRST, MERGE]
    sources = []
    for way in ways:
        choose(way, manager)
        sources.append(make_release(put(f"{way}.txt", way)))
    choose(FIRST, manager)

    assert combine(releases=sources, title="", actor=editor).rule_combination == MERGE


def test_drafts_that_change_no_combination_are_combined_as_their_base_says(
    merging: Release, manager: User, editor: User, make_release: MakeRelease, publish: Publish
) -> None:
    publish(put("other.txt", "other"))
    sources = [make_release(put("a.txt", "a")), make_release(put("b.txt", "b"))]
    choose(FIRST, manager)

    assert combine(releases=sources, title="", actor=editor).rule_combination == MERGE


def test_what_is_promoted_combines_as_what_was_tested(merging: Release, manager: User, editor: User) -> None:
    publish_on_staging(editor, manager)
    choose(FIRST, manager)

    promoted = promote(source=channel_named("staging"), target=merging.channel, actor=editor)
    assert promoted.rule_combination == MERGE


def test_a_rehearsal_combines_as_what_it_rehearses(
    merging: Release, manager: User, editor: User, make_release: MakeRelease, settings: Settings
) -> None:
    settings.PINNED_HOSTS = {"staging.localhost": "staging"}
    choose(FIRST, manager)
    publish_on_staging(editor, manager)
    choose(MERGE, manager)
    release = review.submit(release=make_release(put("new.txt", "new")), actor=editor)
    choose(FIRST, manager)

    drill = start_drill(release=release, channel=channel_named("staging"), actor=manager)
    assert drill.published.release.rule_combination == MERGE


def test_a_roll_back_says_beforehand_that_rules_combine_otherwise(
    merging: Release, publish: Publish, administrator: User
) -> None:
    publish(put("new.txt", "new"))
    live = live_publication(merging.channel)
    assert live
    first = Publication.objects.get(sequence=1)

    change = preview_roll_back(live, first).rules.combination
    assert change
    assert (change.before, change.after) == (MERGE, FIRST)
    assert preview_roll_back(live, live).rules.combination is None

    output = StringIO()
    call_command("release", "rollback", "--dry-run", stdout=output)
    page = staff_client(administrator).get(f"/admin/releases/channel/{merging.channel_id}/roll-back/1/")
    for text in (output.getvalue(), page.content.decode()):
        assert "Where several rules match a file: “the first decides” instead of “all are merged”" in text


def publish_on_staging(editor: User, manager: User) -> Release:
    channel = channel_named("staging")
    release = drafts.create_release(
        title="Staged", channel=channel, changes=[put("staged.txt", "staged")], actor=editor, **WORDS
    )
    review.submit(release=release, actor=editor)
    publishing.publish(release=release, actor=manager)
    release.refresh_from_db()
    return release
