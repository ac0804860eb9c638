from collections.abc import Callable

import pytest

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.releases.exceptions import InvalidPath, ReleaseClosed, UnknownField
from apps.releases.models import Change, Channel, Release
from apps.releases.selectors import change_counts
from apps.releases.services import drafts, review
from tests.releases.conftest import FIRST_SITE, MakeRelease, put, remove

Attempt = Callable[[], object]


def changes_of(release: Release) -> list[tuple[str, str]]:
    return [(change.kind, change.asset.path) for change in release.changes.select_related("asset")]


def test_a_draft_holds_only_what_differs_from_what_is_live(live: Release, make_release: MakeRelease) -> None:
    release = make_release(
        put("css/site.css", FIRST_SITE["css/site.css"]),
        put("index.html", "<h1>Two</h1>"),
        put("new.txt", "new"),
        remove("js/old.js"),
        remove("never/there.js"),
    )
    assert changes_of(release) == [("put", "index.html"), ("remove", "js/old.js"), ("put", "new.txt")]
    counts = change_counts(release)
    assert (counts.added, counts.changed, counts.removed, counts.total) == (1, 1, 1, 3)
    assert (release.base, release.base_manifest) == (live, live.manifest)


def test_a_draft_remembers_what_it_replaces(spring: Release) -> None:
    replaced = dict(spring.changes.values_list("asset__path", "replaced_blob__size_bytes"))
    assert replaced == {"img/new.svg": None, "css/site.css": len("a { color: red }"), "js/old.js": 1}


def test_the_cache_rules_of_the_day_are_pinned(spring: Release) -> None:
    assert set(spring.rules.values_list("rule__slug", flat=True)) >= {"fingerprinted", "pages", "everything"}


def test_whoever_makes_a_release_owns_it_until_they_say_otherwise(
    make_release: MakeRelease, editor: User, manager: User
) -> None:
    assert make_release(put("a.css", "a")).owner == editor
    assert make_release(put("a.css", "a"), owner=manager).owner == manager


def test_changing_a_path_again_replaces_the_earlier_change(spring: Release, editor: User) -> None:
    drafts.apply_changes(release=spring, changes=[put("css/site.css", "a { color: green }")], actor=editor)
    change = spring.changes.select_related("version").get(asset__path="css/site.css")
    assert change.version
    assert change.version.blob.size_bytes == len("a { color: green }")
    assert spring.changes.count() == 3


def test_putting_back_what_is_live_takes_the_change_out(spring: Release, editor: User) -> None:
    back = [put("css/site.css", FIRST_SITE["css/site.css"]), put("js/old.js", FIRST_SITE["js/old.js"])]
    drafts.apply_changes(release=spring, changes=back, actor=editor)
    assert changes_of(spring) == [("put", "img/new.svg")]


def test_one_change_can_be_taken_out(spring: Release, editor: User) -> None:
    drafts.discard_change(change=spring.changes.get(asset__path="js/old.js"), actor=editor)
    assert changes_of(spring) == [("put", "css/site.css"), ("put", "img/new.svg")]


def test_bad_paths_are_all_named_and_nothing_is_made(production: Channel, editor: User) -> None:
    contents = [put("ok.css", "a"), put("../up.css", "a"), put("-/healthz", "a")]
    with pytest.raises(InvalidPath) as refusal:
        drafts.create_release(title="Bad", channel=production, changes=contents, actor=editor)
    assert "../up.css" in refusal.value.message
    assert "-/healthz" in refusal.value.message
    assert not Release.objects.exists()
    assert not Change.objects.exists()


def test_a_path_named_twice_is_refused(make_release: MakeRelease) -> None:
    with pytest.raises(InvalidPath, match="named twice"):
        make_release(put("a.css", "a"), remove("a.css"))


def test_the_brief_is_edited_field_by_field_and_logged(spring: Release, editor: User, manager: User) -> None:
    drafts.edit_release(release=spring, actor=editor, owner=manager, route="  / ")
    spring.refresh_from_db()
    assert (spring.owner, spring.route, spring.rollback_note) == (manager, "/", "Tell #shop.")
    entry = AuditEntry.objects.get(action="release.edit")
    assert (entry.target, entry.details) == (f"release {spring.pk}", {"owner": "ben", "route": "/"})


def test_an_edit_that_changes_nothing_leaves_no_entry(spring: Release, editor: User) -> None:
    drafts.edit_release(release=spring, actor=editor, rollback_note="Tell #shop. ")
    assert not AuditEntry.objects.filter(action="release.edit").exists()


def test_a_field_that_a_brief_lacks_is_named(spring: Release, editor: User) -> None:
    with pytest.raises(UnknownField, match="state"):
        drafts.edit_release(release=spring, actor=editor, state="approved")


def test_only_a_draft_is_changed(spring: Release, editor: User) -> None:
    change = spring.changes.first()
    assert change
    review.submit(release=spring, actor=editor)
    attempts: tuple[Attempt, ...] = (
        lambda: drafts.edit_release(release=spring, actor=editor, title="Other"),
        lambda: drafts.apply_changes(release=spring, changes=[put("b.css", "b")], actor=editor),
        lambda: drafts.discard_change(change=change, actor=editor),
    )
    for attempt in attempts:
        with pytest.raises(ReleaseClosed, match="in review"):
            attempt()
    assert spring.changes.count() == 3


def test_a_viewer_changes_nothing(spring: Release, production: Channel, viewer: User) -> None:
    change = spring.changes.first()
    assert change
    attempts: tuple[Attempt, ...] = (
        lambda: drafts.create_release(title="Mine", channel=production, changes=[], actor=viewer),
        lambda: drafts.edit_release(release=spring, actor=viewer, title="Other"),
        lambda: drafts.apply_changes(release=spring, changes=[], actor=viewer),
        lambda: drafts.discard_change(change=change, actor=viewer),
    )
    for attempt in attempts:
        with pytest.raises(Forbidden, match="Ask an editor"):
            attempt()


def test_each_call_leaves_one_entry(spring: Release, editor: User) -> None:
    drafts.apply_changes(release=spring, changes=[put("b.css", "b")], actor=editor)
    drafts.discard_change(change=spring.changes.get(asset__path="b.css"), actor=editor)
    actions = AuditEntry.objects.filter(target=f"release {spring.pk}").order_by("sequence")
    assert list(actions.values_list("action", flat=True)) == [
        "release.create",
        "release.apply_changes",
        "release.discard_change",
    ]
