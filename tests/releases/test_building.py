import gzip
from pathlib import Path

import pytest

from apps.accounts.models import User
from apps.assets import store
from apps.assets.exceptions import StorageFull
from apps.assets.models import Effort, Representation
from apps.assets.selectors import newest_representation
from apps.assets.services import NewCoding, keep_codings
from apps.caching.models import CacheRuleVersion
from apps.releases.exceptions import ManifestMissing
from apps.releases.manifest import diff
from apps.releases.models import Manifest, Release
from apps.releases.selectors import live_publication, manifest_reader_of, open_manifest
from apps.releases.services import building, drafts, pointers, publishing, review
from apps.releases.tasks import reconcile_pointers, refresh_content_codings
from tests.releases.conftest import FIRST_SITE, MakeRelease, put, remove, served


def encode(path: str, release: Release, *, level: int = 9) -> None:
    """Keep a gzip coding of what `release` serves at `path`, as the background worker does."""
    blob = served(release)[path]
    coded = store.put_blob([gzip.compress(store.read_blob(blob), level, mtime=0)])
    effort = Effort.BEST if level == 9 else Effort.FAST
    keep_codings([NewCoding(blob, Representation.Coding.GZIP, coded)], tried=[blob], effort=effort)


def live_manifest(release: Release) -> Manifest:
    live = live_publication(release.channel)
    assert live
    return live.manifest


def test_a_build_holds_the_base_with_the_changes(live: Release) -> None:
    reader = manifest_reader_of(live)
    entry = reader.lookup("css/site.css")
    assert entry
    assert store.read_blob(entry.blob).decode() == FIRST_SITE["css/site.css"]
    assert (entry.size, entry.media_type, entry.release) == (16, "text/css", live.pk)
    headers = dict(reader.header_sets[entry.header_set].headers)
    assert headers["content-type"] == "text/css; charset=utf-8"
    assert "max-age" in headers["cache-control"]
    assert live.manifest
    assert (live.manifest.path_count, live.manifest.digest) == (3, reader.digest)
    reader.verify()


def test_what_a_release_did_not_touch_stays_that_of_the_release_which_brought_it(
    approved: Release, live: Release
) -> None:
    reader = manifest_reader_of(approved)
    brought = {entry.path: entry.release for entry in reader.entries()}
    assert brought == {"index.html": live.pk, "css/site.css": approved.pk, "img/new.svg": approved.pk}


def test_the_same_content_has_one_manifest(approved: Release, editor: User) -> None:
    review.reopen(release=approved, actor=editor)
    drafts.apply_changes(release=approved, changes=[put("x.css", "x")], actor=editor)
    other = review.submit(release=approved, actor=editor).manifest_id
    review.reopen(release=approved, actor=editor)
    drafts.discard_change(change=approved.changes.get(asset__path="x.css"), actor=editor)
    again = review.submit(release=approved, actor=editor).manifest_id
    assert again != other
    assert Manifest.objects.count() == 3


def test_other_cache_rules_give_every_path_its_headers_anew(
    live: Release, make_release: MakeRelease, editor: User, administrator: User
) -> None:
    release = make_release(title="Other rules")
    everything = release.rules.get(rule__slug="everything")
    longer = CacheRuleVersion.objects.get(pk=everything.pk)
    longer.pk, longer.number = None, everything.number + 1
    longer.policy = everything.policy | {"browser_ttl_seconds": 4242}
    longer.save(force_insert=True)
    release.rules.remove(everything)
    release.rules.add(longer)
    submitted = review.submit(release=release, actor=editor)
    rows = list(diff(manifest_reader_of(live), manifest_reader_of(submitted)))
    assert {row.path for row in rows} >= {"css/site.css", "js/old.js"}
    assert not any(row.is_content_changed for row in rows)
    entry = manifest_reader_of(submitted).lookup("css/site.css")
    assert entry
    header_set = manifest_reader_of(submitted).header_sets[entry.header_set]
    assert "max-age=4242" in dict(header_set.headers)["cache-control"]
    assert header_set.rule_version == longer.number


def test_a_failing_disk_leaves_the_draft_as_it_was(
    spring: Release, editor: User, monkeypatch: pytest.MonkeyPatch, storage_folder: Path
) -> None:
    def full(name: str, file: Path, *, sha256: str) -> None:
        raise OSError(28, "No space left on device")

    manifests = Manifest.objects.count()
    with monkeypatch.context() as broken:
        broken.setattr(store, "put_file", full)
        with pytest.raises(StorageFull, match="There is no room in"):
            review.submit(release=spring, actor=editor)
    spring.refresh_from_db()
    assert (spring.state, spring.manifest, Manifest.objects.count()) == ("draft", None, manifests)
    assert list(store.temporary_folder().iterdir()) == []
    assert review.submit(release=spring, actor=editor).state == "in_review"


def test_a_lost_base_is_named(spring: Release, editor: User, storage_folder: Path) -> None:
    assert spring.base_manifest
    (storage_folder / spring.base_manifest.file_name).unlink()
    with pytest.raises(ManifestMissing, match=spring.base_manifest.file_name):
        review.submit(release=spring, actor=editor)


def test_content_codings_reach_what_is_live_without_a_new_digest(live: Release) -> None:
    pointers.reconcile()
    encode("css/site.css", live)
    assert refresh_content_codings() == [
        f"production now serves release {live.pk} with newer content codings.",
        f"The pointer of production now names publication 1 ({live.publications.get().tag}).",
    ]
    publication = live_publication(live.channel)
    assert publication
    assert publication.manifest_id == live.manifest_id
    assert publication.manifest.revision == 2
    assert pointers.is_current(publication)
    reader = open_manifest(publication.manifest)
    reader.verify()
    assert [coded.coding for coded in reader.representations(served(live)["css/site.css"])] == ["gzip"]
    assert refresh_content_codings() == []
    assert reconcile_pointers() == []


def test_smaller_codings_take_the_places_of_those_that_are_live(live: Release) -> None:
    encode("css/site.css", live, level=0)
    assert building.refresh_manifests()
    fast = open_manifest(live_manifest(live)).representations(served(live)["css/site.css"])

    encode("css/site.css", live)
    assert building.refresh_manifests() == [
        f"production now serves release {live.pk} with newer content codings."
    ]
    best = open_manifest(live_manifest(live)).representations(served(live)["css/site.css"])
    assert [coded.coding for coded in best] == [coded.coding for coded in fast] == ["gzip"]
    assert best[0].size < fast[0].size
    assert store.read_blob(fast[0].encoded)


def test_what_waits_to_go_live_gets_its_codings_before(
    live: Release, approved: Release, manager: User
) -> None:
    pointers.reconcile()
    digest = approved.manifest_id
    encode("img/new.svg", approved)
    assert refresh_content_codings() == [f"Release {approved.pk} will go live with newer content codings."]

    publishing.publish(release=approved, digest=digest, actor=manager)
    reader = open_manifest(live_manifest(live))
    assert [coded.coding for coded in reader.representations(served(approved)["img/new.svg"])] == ["gzip"]
    assert refresh_content_codings() == []


def test_codings_of_something_else_make_no_new_file(live: Release, spring: Release, editor: User) -> None:
    submitted = review.submit(release=spring, actor=editor)
    encode("img/new.svg", submitted)
    review.withdraw(release=submitted, actor=editor)
    assert building.refresh_manifests() == []
    assert live_manifest(live).revision == 1
    assert live_manifest(live).newest_representation == newest_representation()


def test_codings_that_the_base_lacks_are_made_up_for(
    live: Release, make_release: MakeRelease, editor: User
) -> None:
    encode("css/site.css", live)
    submitted = review.submit(release=make_release(put("new.css", "x")), actor=editor)
    assert building.refresh_manifests()
    reader = manifest_reader_of(Release.objects.get(pk=submitted.pk))
    assert [coded.coding for coded in reader.representations(served(live)["css/site.css"])] == ["gzip"]


def test_codings_that_are_there_already_are_built_in(
    live: Release, make_release: MakeRelease, editor: User
) -> None:
    encode("css/site.css", live)
    release = make_release(put("copy.css", FIRST_SITE["css/site.css"]), remove("js/old.js"))
    submitted = review.submit(release=release, actor=editor)
    reader = manifest_reader_of(submitted)
    assert [coded.coding for coded in reader.representations(served(submitted)["copy.css"])] == ["gzip"]


def test_of_two_that_refresh_at_once_one_wins(live: Release) -> None:
    encode("css/site.css", live)
    assert live.manifest
    stale = Manifest.objects.get(pk=live.manifest.pk)
    assert building.refresh_representations(Manifest.objects.get(pk=live.manifest.pk))
    assert not building.refresh_representations(stale)
    assert Manifest.objects.get(pk=live.manifest.pk).revision == 2
