"""A release is replayed on what its channel serves by now: nothing is lost, nothing is half done."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.assets import store
from apps.audit.models import AuditEntry
from apps.caching.models import CacheRuleVersion
from apps.releases.conflicts.merging import Outcome, merge
from apps.releases.conflicts.standing import compute_standing, decisions_about
from apps.releases.contents import ChangeInput
from apps.releases.exceptions import (
    BaseMoved,
    ConflictsOpen,
    NothingToRebase,
    SelfApproval,
    UnknownConflict,
    WrongResolution,
    WrongState,
)
from apps.releases.models import Channel, Publication, Release, Resolution
from apps.releases.selectors import authors_of, live_publication, manifest_reader_of, reviews_for
from apps.releases.services import drafts, publishing, review
from apps.releases.services.rebasing import (
    Choice,
    Decision,
    forget_resolution,
    rebase,
    resolve,
    resolve_rest,
)
from apps.releases.services.redirects import put_redirect, remove_redirect
from tests.releases.conftest import FIRST_SITE, MakeRelease, Publish, put, remove, served

TEXT = "".join(f"line {number}\n" for number in range(10))


def text_of(release: Release, path: str) -> str:
    blob = release.changes.values_list("version__blob", flat=True).get(asset__path=path)
    return store.read_blob(blob or "").decode()


def changes_of(release: Release) -> dict[str, str]:
    return dict(release.changes.values_list("asset__path", "kind"))


@pytest.fixture
def moved(publish: Publish, spring: Release) -> Callable[..., Release]:
    """Return a function that lets production move on while release 2 is a draft; it returns release 2."""

    def move(*changes: ChangeInput) -> Release:
        publish(*changes)
        spring.refresh_from_db()
        return spring

    return move


def test_without_conflicts_the_changes_are_replayed_on_what_is_live(
    moved: Callable[..., Release], editor: User, live: Release
) -> None:
    spring = moved(put("index.html", "<h1>Two</h1>"), put("other.txt", "other"))

    rebased = rebase(release=spring, actor=editor)

    now = live_publication(rebased.channel)
    assert now
    assert (rebased.state, rebased.base, rebased.base_manifest) == (
        Release.State.DRAFT,
        now.release,
        now.manifest,
    )
    assert changes_of(rebased) == {"img/new.svg": "put", "css/site.css": "put", "js/old.js": "remove"}
    submitted = review.submit(release=rebased, actor=editor)
    assert set(served(submitted)) == {"index.html", "other.txt", "css/site.css", "img/new.svg"}
    entry = AuditEntry.objects.get(action="release.rebase")
    assert entry.summary == (
        f"Rebased release {spring.pk} from release {live.pk} onto release {now.release_id}: 3 kept."
    )
    assert (entry.details["base_before"], entry.details["base"]) == (live.pk, now.release_id)


def test_submitting_says_that_rebase_is_the_next_step(moved: Callable[..., Release], editor: User) -> None:
    spring = moved(put("other.txt", "other"))
    with pytest.raises(BaseMoved, match="No path was changed in both") as refusal:
        review.submit(release=spring, actor=editor)
    assert f"release rebase {spring.pk}" in refusal.value.next_step


def test_what_is_live_already_is_no_change_any_more(moved: Callable[..., Release], editor: User) -> None:
    spring = moved(put("css/site.css", "a { color: blue }"), remove("js/old.js"))

    rebased = rebase(release=spring, actor=editor)

    assert changes_of(rebased) == {"img/new.svg": "put"}
    assert AuditEntry.objects.get(action="release.rebase").details["already_live"] == 2


@pytest.mark.parametrize("state", [Release.State.IN_REVIEW, Release.State.APPROVED, Release.State.REJECTED])
def test_a_rebased_release_asks_for_approval_again(
    publish: Publish, make_release: MakeRelease, live: Release, editor: User, manager: User, state: str
) -> None:
    release = review.submit(release=make_release(put("mine.txt", "mine")), actor=editor)
    if state == Release.State.APPROVED:
        review.approve(release=release, digest=release.manifest_id or "", actor=manager)
    if state == Release.State.REJECTED:
        review.reject(release=release, reason="Later.", actor=manager)
    publish(put("other.txt", "other"))

    rebased = rebase(release=release, actor=editor)

    assert (rebased.state, rebased.manifest, rebased.submitted_at) == (Release.State.DRAFT, None, None)
    assert review.submit(release=rebased, actor=editor).state == Release.State.IN_REVIEW
    assert AuditEntry.objects.get(action="release.rebase").details["state_before"] == state


def test_a_path_that_both_have_changed_has_to_be_decided_and_nothing_happens_before(
    moved: Callable[..., Release], editor: User, live: Release
) -> None:
    spring = moved(put("css/site.css", "b {}"), remove("index.html"), put("js/old.js", "2"))

    with pytest.raises(ConflictsOpen, match=r"changed css/site\.css, js/old\.js\.") as refusal:
        rebase(release=spring, actor=editor)

    assert refusal.value.names == ("css/site.css", "js/old.js")
    spring.refresh_from_db()
    assert (spring.base, len(changes_of(spring))) == (live, 3)


def test_each_side_can_be_chosen(moved: Callable[..., Release], editor: User) -> None:
    spring = moved(put("css/site.css", "b {}"), put("js/old.js", "2"), put("img/new.svg", "<svg></svg>"))
    decisions = {
        "css/site.css": Decision(Choice.OURS),
        "js/old.js": Decision(Choice.OURS),
        "img/new.svg": Decision(Choice.THEIRS),
    }

    rebased = rebase(release=spring, actor=editor, resolutions=decisions)

    assert changes_of(rebased) == {"css/site.css": "put", "js/old.js": "remove"}
    replaced = dict(rebased.changes.values_list("asset__path", "replaced_blob__size_bytes"))
    assert replaced == {"css/site.css": len("b {}"), "js/old.js": 1}
    assert text_of(rebased, "css/site.css") == "a { color: blue }"


def test_what_is_kept_against_a_removal_is_new(moved: Callable[..., Release], editor: User) -> None:
    spring = moved(remove("css/site.css"))

    rebased = rebase(release=spring, actor=editor, rest=Choice.OURS)

    assert rebased.changes.get(asset__path="css/site.css").replaced_blob is None


def test_all_that_is_undecided_can_be_decided_at_once(moved: Callable[..., Release], editor: User) -> None:
    spring = moved(put("css/site.css", "b {}"), put("js/old.js", "2"))
    resolve(release=spring, name="css/site.css", decision=Decision(Choice.OURS), actor=editor)

    assert resolve_rest(release=spring, choice=Choice.THEIRS, actor=editor) == 1
    assert resolve_rest(release=spring, choice=Choice.THEIRS, actor=editor) == 0

    assert changes_of(rebase(release=spring, actor=editor)) == {"img/new.svg": "put", "css/site.css": "put"}
    assert not Resolution.objects.exists()


@pytest.fixture
def texts(
    production: Channel, make_release: MakeRelease, publish: Publish, editor: User, other_editor: User
) -> Callable[[str, str], Release]:
    """Return a function: emil's release changes a text that production changes as well; it is returned."""

    def make(ours: str, theirs: str) -> Release:
        publish(put("notes.txt", TEXT))
        release = make_release(put("notes.txt", ours), actor=other_editor)
        publish(put("notes.txt", theirs))
        return release

    return make


def test_lines_that_do_not_clash_are_merged_by_themselves(
    texts: Callable[[str, str], Release], editor: User, other_editor: User
) -> None:
    release = texts(TEXT.replace("line 1", "ours"), TEXT.replace("line 8", "theirs"))

    rebased = rebase(release=release, actor=editor)

    assert text_of(rebased, "notes.txt") == TEXT.replace("line 1", "ours").replace("line 8", "theirs")
    change = rebased.changes.get()
    assert (change.author, change.replaced_blob and change.replaced_blob.size_bytes) == (
        editor,
        len(TEXT.replace("line 8", "theirs")),
    )
    assert authors_of(rebased) == {editor.pk, other_editor.pk}


def test_who_merged_and_whose_change_was_merged_are_both_kept_from_approving(
    texts: Callable[[str, str], Release],
    editor: User,
    other_editor: User,
    manager: User,
    other_manager: User,
    make_release: MakeRelease,
    publish: Publish,
) -> None:
    publish(put("notes.txt", TEXT))
    release = make_release()
    drafts.apply_changes(
        release=release, changes=[put("notes.txt", TEXT.replace("line 1", "ours"))], actor=other_manager
    )
    publish(put("notes.txt", TEXT.replace("line 8", "theirs")))
    submitted = review.submit(release=rebase(release=release, actor=manager), actor=editor)

    for person in (manager, other_manager):
        assert submitted not in reviews_for(person)
        with pytest.raises(SelfApproval):
            review.approve(release=submitted, digest=submitted.manifest_id or "", actor=person)


def test_lines_that_clash_are_merged_by_hand(texts: Callable[[str, str], Release], editor: User) -> None:
    release = texts(TEXT.replace("line 1", "ours"), TEXT.replace("line 1", "theirs"))
    with pytest.raises(ConflictsOpen):
        rebase(release=release, actor=editor)
    merged = TEXT.replace("line 1", "both")

    resolve(
        release=release,
        name="notes.txt",
        decision=Decision(Choice.MERGED, merged.encode()),
        actor=editor,
    )

    assert text_of(rebase(release=release, actor=editor), "notes.txt") == merged


def test_what_is_merged_to_what_is_live_is_no_change(
    texts: Callable[[str, str], Release], editor: User
) -> None:
    theirs = TEXT.replace("line 1", "theirs")
    release = texts(TEXT.replace("line 1", "ours"), theirs)
    decision = Decision(Choice.MERGED, theirs.encode())

    assert changes_of(rebase(release=release, actor=editor, resolutions={"notes.txt": decision})) == {}


def test_markers_that_are_left_over_are_refused_by_line(
    texts: Callable[[str, str], Release], editor: User
) -> None:
    release = texts(TEXT.replace("line 1", "ours"), TEXT.replace("line 1", "theirs"))
    decision = Decision(Choice.MERGED, b"<<<<<<< release 2\nx\n>>>>>>> live\n")

    with pytest.raises(WrongResolution, match=r"left in notes\.txt, in lines 1, 3\."):
        resolve(release=release, name="notes.txt", decision=decision, actor=editor)
    assert not Resolution.objects.exists()


@pytest.mark.parametrize(("path", "name"), [("img/new.svg", "css/site.css"), ("css/site.css", "missing.txt")])
def test_only_what_is_in_conflict_is_decided(
    moved: Callable[..., Release], editor: User, path: str, name: str
) -> None:
    spring = moved(put(path, "other"))
    with pytest.raises(UnknownConflict, match=f"no conflict about {name}") as refusal:
        rebase(release=spring, actor=editor, resolutions={name: Decision(Choice.OURS)})
    assert path in refusal.value.next_step


def test_a_decision_holds_for_what_was_looked_at(
    moved: Callable[..., Release], publish: Publish, editor: User
) -> None:
    spring = moved(put("css/site.css", "b {}"))
    resolve(release=spring, name="css/site.css", decision=Decision(Choice.OURS), actor=editor)
    publish(put("css/site.css", "c {}"))

    with pytest.raises(ConflictsOpen):
        rebase(release=spring, actor=editor)

    publish(put("css/site.css", "b {}"))
    assert text_of(rebase(release=spring, actor=editor), "css/site.css") == "a { color: blue }"


def test_a_decision_can_be_taken_back_and_replaced(moved: Callable[..., Release], editor: User) -> None:
    spring = moved(put("css/site.css", "b {}"))
    for choice in (Choice.OURS, Choice.THEIRS):
        resolve(release=spring, name="css/site.css", decision=Decision(choice), actor=editor)
    conflicts = compute_standing(spring, live_publication(spring.channel)).conflicts
    assert [r.choice for r in decisions_about(spring, conflicts).values()] == ["theirs"]

    forget_resolution(release=spring, name="css/site.css", actor=editor)

    with pytest.raises(ConflictsOpen):
        rebase(release=spring, actor=editor)


def test_redirects_are_replayed_like_paths(
    live: Release, make_release: MakeRelease, editor: User, manager: User
) -> None:
    mine, other = make_release(), make_release()
    for release, target in ((mine, "/css/site.css"), (other, "/js/old.js")):
        put_redirect(release=release, source="/both", target=target, actor=editor)
        put_redirect(release=release, source="/same", target="/index.html", actor=editor)
    put_redirect(release=mine, source="/mine", target="/index.html", actor=editor)
    submitted = review.submit(release=other, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    publishing.publish(release=other, actor=manager)

    with pytest.raises(ConflictsOpen, match=r"changed the redirect /both\."):
        rebase(release=mine, actor=editor)
    kept = rebase(release=mine, actor=editor, resolutions={"/both": Decision(Choice.OURS)})
    assert set(kept.redirect_changes.values_list("source", "target")) == {
        ("both", "/css/site.css"),
        ("mine", "/index.html"),
    }


def test_a_redirect_can_be_given_up_but_not_merged(
    live: Release, make_release: MakeRelease, editor: User, manager: User
) -> None:
    first = make_release()
    put_redirect(release=first, source="/both", target="/index.html", actor=editor)
    review.submit(release=first, actor=editor)
    first.refresh_from_db()
    review.approve(release=first, digest=first.manifest_id or "", actor=manager)
    publishing.publish(release=first, actor=manager)
    mine, other = make_release(), make_release()
    remove_redirect(release=mine, source="/both", actor=editor)
    put_redirect(release=other, source="/both", target="/js/old.js", actor=editor)
    submitted = review.submit(release=other, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    publishing.publish(release=other, actor=manager)

    with pytest.raises(WrongResolution, match="The redirect /both cannot be merged"):
        rebase(release=mine, actor=editor, resolutions={"/both": Decision(Choice.MERGED, b"x")})
    given_up = rebase(release=mine, actor=editor, resolutions={"/both": Decision(Choice.THEIRS)})
    assert not given_up.redirect_changes.exists()


def new_version(slug: str, actor: User) -> CacheRuleVersion:
    """Add a version of a rule, as somebody who edits the rule does."""
    newest = CacheRuleVersion.objects.filter(rule__slug=slug).order_by("-number")[0]
    newest.pk, newest.number = None, newest.number + 1
    newest.policy = {**newest.policy, "surrogate_keys": [f"version-{newest.number}"]}
    newest.save(force_insert=True)
    return newest


def pinned(release: Release, slug: str) -> int:
    return release.rules.get(rule__slug=slug).number


def test_a_newer_rule_that_is_live_is_taken(
    spring: Release, publish: Publish, editor: User, manager: User
) -> None:
    new_version("pages", manager)
    publish(put("other.txt", "other"))

    assert pinned(rebase(release=spring, actor=editor), "pages") == 2


@pytest.mark.parametrize(("choice", "number"), [(Choice.OURS, 2), (Choice.THEIRS, 3)])
def test_a_rule_that_both_pin_otherwise_is_decided_too(
    live: Release,
    make_release: MakeRelease,
    publish: Publish,
    editor: User,
    manager: User,
    choice: Choice,
    number: int,
) -> None:
    new_version("pages", manager)
    mine = make_release(put("mine.txt", "mine"))
    new_version("pages", manager)
    publish(put("other.txt", "other"))

    with pytest.raises(ConflictsOpen, match=r"changed the cache rule pages\."):
        rebase(release=mine, actor=editor)
    rebased = rebase(release=mine, actor=editor, resolutions={"rule:pages": Decision(choice)})
    assert pinned(rebased, "pages") == number


def test_what_stands_on_what_is_live_is_not_rebased(spring: Release, editor: User) -> None:
    with pytest.raises(NothingToRebase):
        rebase(release=spring, actor=editor)


def test_what_is_live_or_given_up_is_not_rebased(
    live: Release, publish: Publish, spring: Release, editor: User
) -> None:
    review.withdraw(release=spring, actor=editor)
    publish(put("other.txt", "other"))
    for release in (live, spring):
        with pytest.raises(WrongState, match="cannot be rebased"):
            rebase(release=release, actor=editor)


def test_a_viewer_decides_nothing(moved: Callable[..., Release], viewer: User) -> None:
    spring = moved(put("css/site.css", "b {}"))
    attempts: tuple[Callable[[], object], ...] = (
        lambda: rebase(release=spring, actor=viewer, rest=Choice.OURS),
        lambda: resolve(release=spring, name="css/site.css", decision=Decision(Choice.OURS), actor=viewer),
        lambda: resolve_rest(release=spring, choice=Choice.OURS, actor=viewer),
        lambda: forget_resolution(release=spring, name="css/site.css", actor=viewer),
    )
    for attempt in attempts:
        with pytest.raises(Forbidden):
            attempt()
    assert not Resolution.objects.exists()


def test_a_first_release_is_rebased_onto_the_first_that_went_live(
    production: Channel, make_release: MakeRelease, publish: Publish, editor: User
) -> None:
    mine = make_release(put("mine.txt", "mine"), put("index.html", "mine"))
    publish(put("index.html", "theirs"), put("other.txt", "other"))

    with pytest.raises(ConflictsOpen, match=r"index\.html\."):
        rebase(release=mine, actor=editor)
    rebased = rebase(release=mine, actor=editor, rest=Choice.THEIRS)
    assert changes_of(rebased) == {"mine.txt": "put"}


SITES = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(["1", "2", "3"]))


@given(st.tuples(SITES, SITES, SITES), st.sampled_from([Choice.OURS, Choice.THEIRS]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_release_rebased_serves_what_a_merge_of_sites_does(
    production: Channel,
    publish: Publish,
    make_release: MakeRelease,
    editor: User,
    manager: User,
    sites: tuple[dict[str, str], dict[str, str], dict[str, str]],
    choice: Choice,
) -> None:
    """Against the naive reference: three whole sites, path by path."""

    def changes(before: dict[str, str], after: dict[str, str]) -> list[ChangeInput]:
        return [
            *(put(path, text) for path, text in after.items() if before.get(path) != text),
            *(remove(path) for path in before if path not in after),
        ]

    live = live_publication(production)
    base, ours, theirs = sites[0] | {"x": f"{live}"}, sites[1], sites[2]
    publish(*changes(site_of(live.release) if live else {}, base))
    mine = make_release(*changes(base, ours | {"x": base["x"]}))
    publish(*changes(base, theirs | {"x": "moved"}))

    rebased = rebase(release=mine, actor=editor, rest=choice)

    expected = theirs | {"x": "moved"}
    for path in "abcd":
        values = base.get(path), ours.get(path), theirs.get(path)
        outcome = merge(*values)
        is_ours = outcome is Outcome.OURS or (outcome is Outcome.CONFLICT and choice is Choice.OURS)
        value = values[1] if is_ours else values[2]
        expected.pop(path, None)
        if value is not None:
            expected[path] = value
    put_beside = [put("y", f"{rebased.pk}")]
    drafts.apply_changes(release=rebased, changes=put_beside, actor=editor)
    submitted = review.submit(release=rebased, actor=editor)
    assert site_of(submitted) == expected | {"y": f"{rebased.pk}"}


def site_of(release: Release) -> dict[str, str]:
    return {
        entry.path: store.read_blob(entry.blob).decode() for entry in manifest_reader_of(release).entries()
    }


def test_publication_follows_a_rebase_like_any_other(
    moved: Callable[..., Release], editor: User, manager: User
) -> None:
    spring = moved(put("css/site.css", "b {}"))
    submitted = review.submit(release=rebase(release=spring, actor=editor, rest=Choice.OURS), actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    publication = publishing.publish(release=submitted, actor=manager)

    assert (publication.kind, publication.sequence) == (Publication.Kind.PUBLISH, 3)
    assert FIRST_SITE["index.html"]
