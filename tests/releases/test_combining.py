"""Several drafts become one, and one becomes two; whose work is whose stays known."""

from collections.abc import Callable

import pytest

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.releases.exceptions import (
    CannotCombine,
    CannotSplit,
    ConflictsOpen,
    ReleaseClosed,
    SelfApproval,
    UnknownConflict,
    WrongResolution,
)
from apps.releases.models import Channel, Origin, Release
from apps.releases.selectors import authors_of
from apps.releases.services import drafts, review
from apps.releases.services.combining import Take, combine
from apps.releases.services.promoting import promote
from apps.releases.services.redirects import put_redirect
from apps.releases.services.splitting import Selection, split
from tests.releases.conftest import BRIEF, MakeRelease, Publish, put, served
from tests.releases.test_promoting import WORDS, Stage, stage, staging  # noqa: F401 - fixtures
from tests.releases.test_rebasing import TEXT, changes_of, new_version, pinned, text_of


@pytest.fixture
def summer(spring: Release, make_release: MakeRelease, other_editor: User) -> Release:
    """Release 3, a draft of emil's."""
    return make_release(put("summer.txt", "summer"), title="Summer", actor=other_editor)


def test_drafts_become_one_and_each_change_keeps_its_author(
    spring: Release, summer: Release, manager: User, editor: User, other_editor: User
) -> None:
    made = combine(releases=[spring, summer], title="", actor=manager)

    assert made.title == "Spring + Summer"
    assert dict(made.changes.values_list("asset__path", "author__username")) == {
        "css/site.css": "eva",
        "img/new.svg": "eva",
        "js/old.js": "eva",
        "summer.txt": "emil",
    }
    assert authors_of(made) == {editor.pk, other_editor.pk, manager.pk}
    submitted = review.submit(release=made, actor=editor)
    assert set(served(submitted)) == {"css/site.css", "img/new.svg", "index.html", "summer.txt"}


def test_the_drafts_are_kept_and_named_on_both_sides(spring: Release, summer: Release, editor: User) -> None:
    made = combine(releases=[spring, summer], title="Both", actor=editor)

    assert set(Origin.objects.values_list("release", "kind", "source")) == {
        (made.pk, "combine", spring.pk),
        (made.pk, "combine", summer.pk),
    }
    assert set(Release.objects.filter(state="draft")) == {spring, summer, made}
    assert made.expected_result == BRIEF["expected_result"]
    entry = AuditEntry.objects.get(action="release.combine")
    assert entry.summary == (
        f"Combined releases {spring.pk} and {summer.pk} into release {made.pk}: 4 changes."
    )


def test_what_they_change_differently_has_to_be_decided(
    spring: Release, make_release: MakeRelease, editor: User, other_editor: User
) -> None:
    other = make_release(put("css/site.css", "b {}"), put("js/old.js", "2"), actor=other_editor)

    with pytest.raises(ConflictsOpen, match=r"differently: css/site\.css, js/old\.js\.") as refusal:
        combine(releases=[spring, other], title="", actor=editor)
    assert refusal.value.names == ("css/site.css", "js/old.js")
    assert Release.objects.count() == 3

    takes = {"css/site.css": Take(release=other.pk), "js/old.js": Take(release=spring.pk)}
    made = combine(releases=[spring, other], title="", actor=editor, takes=takes)
    assert text_of(made, "css/site.css") == "b {}"
    assert changes_of(made) == {"css/site.css": "put", "img/new.svg": "put", "js/old.js": "remove"}
    assert dict(made.changes.values_list("asset__path", "author__username"))["css/site.css"] == "emil"
    rest = combine(releases=[spring, other], title="", actor=editor, rest=other.pk)
    assert changes_of(rest)["js/old.js"] == "put"


def test_of_three_that_differ_the_one_that_is_named_is_taken(
    spring: Release, make_release: MakeRelease, editor: User
) -> None:
    second, third = (make_release(put("css/site.css", text)) for text in ("b {}", "c {}"))
    made = combine(
        releases=[spring, second, third],
        title="",
        actor=editor,
        takes={"css/site.css": Take(release=second.pk)},
    )
    assert text_of(made, "css/site.css") == "b {}"


def test_lines_that_do_not_clash_are_merged(
    publish: Publish, make_release: MakeRelease, editor: User, other_editor: User, manager: User
) -> None:
    publish(put("notes.txt", TEXT))
    first = make_release(put("notes.txt", TEXT.replace("line 1", "first")))
    second = make_release(put("notes.txt", TEXT.replace("line 8", "second")), actor=other_editor)

    made = combine(releases=[first, second], title="", actor=manager)

    assert text_of(made, "notes.txt") == TEXT.replace("line 1", "first").replace("line 8", "second")
    assert made.changes.get().author == manager
    assert authors_of(made) == {editor.pk, other_editor.pk, manager.pk}


def test_text_is_merged_by_hand_without_markers(
    spring: Release, make_release: MakeRelease, editor: User
) -> None:
    other = make_release(put("css/site.css", "b {}\n"))
    with pytest.raises(WrongResolution, match=r"left in css/site\.css, in line 1"):
        combine(
            releases=[spring, other],
            title="",
            actor=editor,
            takes={"css/site.css": Take(content=b"<<<<<<< x\n")},
        )
    made = combine(
        releases=[spring, other], title="", actor=editor, takes={"css/site.css": Take(content=b"both")}
    )
    assert text_of(made, "css/site.css") == "both"


def test_what_is_merged_to_what_is_live_is_no_change(
    spring: Release, make_release: MakeRelease, editor: User
) -> None:
    other = make_release(put("css/site.css", "b {}"))
    takes = {"css/site.css": Take(content=b"a { color: red }")}
    made = combine(releases=[spring, other], title="", actor=editor, takes=takes)
    assert "css/site.css" not in changes_of(made)


def test_two_who_changed_a_path_alike_are_both_kept_from_approving(
    live: Release, make_release: MakeRelease, editor: User, manager: User, other_manager: User
) -> None:
    drafts_of_both = [make_release(), make_release()]
    for release, person in zip(drafts_of_both, (manager, other_manager), strict=True):
        drafts.apply_changes(release=release, changes=[put("same.txt", "same")], actor=person)

    made = combine(releases=drafts_of_both, title="", actor=editor)
    submitted = review.submit(release=made, actor=editor)

    for person in (manager, other_manager):
        with pytest.raises(SelfApproval):
            review.approve(release=submitted, digest=submitted.manifest_id or "", actor=person)


def test_redirects_and_rules_are_combined_too(
    live: Release, make_release: MakeRelease, editor: User, manager: User
) -> None:
    first, second = make_release(), make_release()
    new_version("pages", manager)
    third = make_release(put("a.txt", "a"))
    for release, target in ((first, "/index.html"), (second, "/js/old.js")):
        put_redirect(release=release, source="/both", target=target, actor=editor)
        put_redirect(release=release, source=f"/of-{release.pk}", target=target, actor=editor)

    with pytest.raises(ConflictsOpen, match="the redirect /both"):
        combine(releases=[first, second, third], title="", actor=editor)
    with pytest.raises(WrongResolution, match="no text that could be merged: /both"):
        combine(releases=[first, second], title="", actor=editor, takes={"/both": Take(content=b"x")})
    made = combine(
        releases=[first, second, third],
        title="",
        actor=editor,
        takes={"/both": Take(release=second.pk)},
    )
    assert set(made.redirect_changes.values_list("source", "target")) == {
        ("both", "/js/old.js"),
        (f"of-{first.pk}", "/index.html"),
        (f"of-{second.pk}", "/js/old.js"),
    }
    assert pinned(made, "pages") == 2


def test_rules_that_drafts_pin_differently_are_decided(
    live: Release, make_release: MakeRelease, editor: User, manager: User
) -> None:
    new_version("pages", manager)
    first = make_release(put("a.txt", "a"))
    new_version("pages", manager)
    second = make_release(put("b.txt", "b"))

    with pytest.raises(ConflictsOpen, match="the cache rule pages"):
        combine(releases=[first, second], title="", actor=editor)
    made = combine(releases=[first, second], title="", actor=editor, rest=first.pk)
    assert pinned(made, "pages") == 2


@pytest.mark.parametrize(
    ("takes", "refusal"),
    [
        ({"index.html": Take(release=2)}, UnknownConflict),
        ({"css/site.css": Take(release=1)}, WrongResolution),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(
    spring: Release,
    make_release: MakeRelease,
    editor: User,
    takes: dict[str, Take],
    refusal: type[Exception],
) -> None:
    other = make_release(put("css/site.css", "b {}"))
    with pytest.raises(refusal):
        combine(releases=[spring, other], title="", actor=editor, takes=takes)


def test_only_drafts_on_one_base_of_one_channel_are_combined(
    spring: Release,
    stage: Stage,  # noqa: F811
    staging: Channel,  # noqa: F811
    make_release: MakeRelease,
    publish: Publish,
    editor: User,
) -> None:
    def refused(*releases: Release) -> str:
        with pytest.raises(CannotCombine) as refusal:
            combine(releases=releases, title="", actor=editor)
        return str(refusal.value)

    assert "Two drafts at least" in refused(spring, spring)
    elsewhere = drafts.create_release(title="E", channel=staging, changes=[], actor=editor)
    assert "for different channels" in refused(spring, elsewhere)
    stage(put("staged.txt", "staged"))
    promoted = promote(source=staging, target=spring.channel, actor=editor)
    assert "promotes exactly" in refused(spring, promoted)
    publish(put("later.txt", "later"))
    behind = refused(spring, make_release(put("a.txt", "a")))
    assert f"release rebase {spring.pk}`" in behind
    review.withdraw(release=spring, actor=editor)
    assert "only drafts are combined" in refused(spring, make_release(put("a.txt", "a")))


def test_a_folder_is_split_off_with_its_authors(
    live: Release, make_release: MakeRelease, editor: User, other_editor: User, manager: User
) -> None:
    release = make_release(put("blog/a.html", "a"), put("blog/b.html", "b"), put("blogger.html", "c"))
    drafts.apply_changes(release=release, changes=[put("blog/c.html", "c")], actor=other_editor)
    put_redirect(release=release, source="/blog/old", target="/blog/a.html", actor=editor)
    put_redirect(release=release, source="/old", target="/index.html", actor=editor)

    made = split(release=release, selection=Selection(below="/blog/"), title="Blog", actor=manager)

    assert (made.title, made.owner, made.base, made.state) == ("Blog", editor, live, "draft")
    assert dict(made.changes.values_list("asset__path", "author__username")) == {
        "blog/a.html": "eva",
        "blog/b.html": "eva",
        "blog/c.html": "emil",
    }
    assert changes_of(release) == {"blogger.html": "put"}
    assert [change.source for change in made.redirect_changes.all()] == ["blog/old"]
    assert [change.source for change in release.redirect_changes.all()] == ["old"]
    assert authors_of(made) == {editor.pk, other_editor.pk, manager.pk}


@pytest.mark.parametrize(
    ("selection", "moved"),
    [
        (Selection(kind="removed"), {"js/old.js"}),
        (Selection(kind="added"), {"img/new.svg"}),
        (Selection(names=["css/site.css", "/moved"]), {"css/site.css", "/moved"}),
        (Selection(kind="redirects"), {"/moved"}),
        (Selection(kind="changed", below="css"), {"css/site.css"}),
    ],
)
def test_a_part_is_chosen_by_name_kind_or_folder(
    spring: Release, editor: User, selection: Selection, moved: set[str]
) -> None:
    put_redirect(release=spring, source="/moved", target="/index.html", actor=editor)

    made = split(release=spring, selection=selection, title="", actor=editor)

    assert made.title == "Spring (part)"
    assert set(changes_of(made)) | {f"/{c.source}" for c in made.redirect_changes.all()} == moved
    assert spring.changes.count() + spring.redirect_changes.count() == 4 - len(moved)


def test_what_was_split_can_be_combined_again(spring: Release, editor: User) -> None:
    before = review.submit(
        release=combine(releases=[spring, _other(spring, editor)], title="", actor=editor), actor=editor
    )
    part = split(release=spring, selection=Selection(kind="removed"), title="", actor=editor)
    again = combine(releases=[spring, part, _other(spring, editor)], title="", actor=editor)
    assert review.submit(release=again, actor=editor).manifest_id == before.manifest_id


def _other(release: Release, actor: User) -> Release:
    return drafts.create_release(
        title="Other", channel=release.channel, changes=[put("o.txt", "o")], actor=actor, **WORDS
    )


def test_contributors_go_where_their_part_goes(
    live: Release, publish: Publish, make_release: MakeRelease, editor: User, manager: User
) -> None:
    pair = [make_release(put("same.txt", "same"), put(f"{n}.txt", "x")) for n in "ab"]
    drafts.apply_changes(release=pair[1], changes=[put("same.txt", "same")], actor=manager)
    made = combine(releases=pair, title="", actor=editor)
    assert manager.pk in authors_of(made)

    part = split(release=made, selection=Selection(names=["same.txt"]), title="", actor=editor)

    assert manager.pk in authors_of(part)
    assert not made.contributors.filter(path="same.txt").exists()


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(), "No change of release"),
        (Selection(below="nowhere"), "No change of release"),
        (Selection(names=["css/site.css", "missing.txt"]), "does not change missing.txt"),
        (Selection(names=["css/site.css", "img/new.svg", "js/old.js"]), "none would stay"),
    ],
)
def test_nothing_or_everything_is_not_split_off(
    spring: Release, editor: User, selection: Selection, words: str
) -> None:
    with pytest.raises(CannotSplit, match=words):
        split(release=spring, selection=selection, title="", actor=editor)
    assert spring.changes.count() == 3


def test_only_a_draft_is_split(approved: Release, editor: User) -> None:
    with pytest.raises(ReleaseClosed):
        split(release=approved, selection=Selection(kind="removed"), title="", actor=editor)


def test_a_viewer_combines_and_splits_nothing(spring: Release, summer: Release, viewer: User) -> None:
    attempts: tuple[Callable[[], object], ...] = (
        lambda: combine(releases=[spring, summer], title="", actor=viewer),
        lambda: split(release=spring, selection=Selection(kind="removed"), title="", actor=viewer),
    )
    for attempt in attempts:
        with pytest.raises(Forbidden):
            attempt()
