"""Going back: what it would change, what it needs of storage, and undoing it as often as one likes."""

import json
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.accounts.models import User
from apps.assets import store
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.serialisation import as_json
from apps.caching.services import add_version
from apps.releases.exceptions import BlobsMissing, ManifestMissing
from apps.releases.manifest import Reach
from apps.releases.manifest.digest import starts_bucket
from apps.releases.manifest.writer import file_sha256
from apps.releases.models import Channel, Manifest, Publication, Release
from apps.releases.rolling_back import wholeness
from apps.releases.rolling_back.preview import preview_roll_back
from apps.releases.rolling_back.wholeness import refuse_unless_whole
from apps.releases.selectors import live_publication, manifest_reader_of, open_manifest
from apps.releases.services import publishing, redirects, review
from tests.releases.conftest import MakeRelease, Publish, put, remove
from tests.staff import staff_client


def live_on(channel: Channel) -> Publication:
    live = live_publication(channel)
    assert live
    return live


def called(*words: str) -> Any:
    output = StringIO()
    call_command("release", "rollback", *words, "--json", stdout=output)
    return json.loads(output.getvalue())


def refusal(*words: str) -> str:
    """Return what the command says when it refuses."""
    output = StringIO()
    with pytest.raises(SystemExit):
        call_command("release", "rollback", *words, "--json", stdout=output)
    message: str = json.loads(output.getvalue())["error"]["message"]
    return message


def test_two_undos_end_where_they_began(live: Release, publish: Publish, administrator: User) -> None:
    second = publish(put("index.html", "<h1>Two</h1>"), remove("js/old.js"))
    digests = [live.manifest_id, second.manifest_id]
    back = called("--reason", "broken", "--as", "ann")
    undone = called("--undo", "--reason", "it was the network", "--as", "ann")
    undone_again = called("--undo", "--reason", "it was not", "--as", "ann")
    again = called("--undo", "--reason", "yes it was", "--as", "ann")
    assert [row["digest"] for row in (back, undone, undone_again, again)] == [
        f"sha256:{digest}" for digest in (*digests, *digests)
    ]
    assert [row["publication"] for row in (back, undone, undone_again, again)] == [3, 4, 5, 6]
    assert open_manifest(live_on(live.channel).manifest).digest == second.manifest_id


def test_only_a_roll_back_can_be_undone(live: Release, publish: Publish, administrator: User) -> None:
    assert "no roll back that could be undone" in refusal("--undo", "--reason", "x", "--as", "ann")
    assert "nothing to roll production back to" in refusal("--dry-run")
    assert "Nothing is live on staging" in refusal("--dry-run", "--channel", "staging")
    with pytest.raises(CommandError) as missing:
        call_command("release", "rollback", "--as", "ann")
    assert missing.value.returncode == 2


def test_a_goal_is_named_by_number_or_tag(live: Release, publish: Publish, administrator: User) -> None:
    publish(put("a.txt", "a"))
    publish(put("a.txt", "b"))
    tag = Publication.objects.get(sequence=2).tag
    assert called("--to", tag, "--dry-run")["goal"] == called("--to", "2", "--dry-run")["goal"] == tag
    assert called("--to", tag, "--reason", "x", "--as", "ann")["publication"] == 4
    assert "no publication 9" in refusal("--to", "9", "--reason", "x", "--as", "ann")


@pytest.fixture
def second(
    live: Release, make_release: MakeRelease, editor: User, manager: User, administrator: User
) -> Release:
    """A release that changes a file, a redirect and a cache rule, live."""
    content = as_json(DEFAULT_RULES["everything"])
    content["policy"]["extra_headers"] = [["X-Robots-Tag", "noindex"]]
    add_version(rule_slug="everything", actor=administrator, content=content)
    release = make_release(put("css/site.css", "a { color: blue }"), remove("js/old.js"))
    redirects.put_redirect(release=release, source="/js/old.js", target="/", status=301, actor=editor)
    submitted = review.submit(release=release, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    publishing.publish(release=release, actor=manager)
    release.refresh_from_db()
    return release


def test_files_redirects_and_cache_rules_return_together(
    second: Release, live: Release, manager: User
) -> None:
    preview = preview_roll_back(live_on(live.channel), Publication.objects.get(sequence=1))
    assert not preview.fault
    assert preview.impact
    assert (preview.impact.changed, preview.impact.added, preview.impact.redirects) == (1, 1, 1)
    assert [(rule.before, rule.after) for rule in preview.rules.rules] == [(2, 1)]

    publishing.roll_back(channel=live.channel, reason="broken", actor=manager)
    now = open_manifest(live_on(live.channel).manifest)
    assert now.digest == live.manifest_id
    assert not now.has_redirects
    served = now.lookup("css/site.css")
    assert served
    assert "x-robots-tag" not in dict(now.header_sets[served.header_set].headers)
    was = manifest_reader_of(second).lookup("css/site.css")
    assert was
    assert "x-robots-tag" in dict(manifest_reader_of(second).header_sets[was.header_set].headers)


def test_the_dry_run_and_the_page_say_the_same(second: Release, live: Release, administrator: User) -> None:
    report = called("--dry-run")
    assert report["paths"] == {"added": 1, "changed": 1, "removed": 0, "headers": 0, "following": 0}
    assert report["rules"] == [{"rule": "Everything else", "before": 2, "after": 1}]
    assert (report["redirects"], report["refused"], report["cannot_be_undone"]) == (1, None, [])
    assert report["digest"] == f"sha256:{live.manifest_id}"
    output = StringIO()
    call_command("release", "rollback", "--dry-run", stdout=output)
    for words in (
        "version 1 instead of 2",
        "~ css/site.css",
        "+ js/old.js",
        "/js/old.js → nowhere",
        "✓ Storage",
    ):
        assert words in output.getvalue()
    page = staff_client(administrator).get(f"/admin/releases/channel/{live.channel_id}/roll-back/1/")
    text = " ".join(page.content.decode().split())
    for words in ("1 cache rule</strong>", "version 1 instead of 2", "js/old.js", "Nothing of it is final"):
        assert words in text
    assert live_on(live.channel).sequence == 2, "nothing was done"


def test_names_that_open_pages_need_are_counted(
    named: Channel, publish: Publish, administrator: User
) -> None:
    page = '<link rel="stylesheet" href="/css/site.css">'
    publish(put("index.html", page), put("css/site.css", "a {}"), put("js/app-BX3k9aQz.js", "1"))
    publish(put("css/site.css", "b {}"))
    assert called("--dry-run")["kept_names"] == 1
    publish(put("css/new-Cq7TzL2m.css", "1"))
    assert called("--dry-run", "--to", "2")["kept_names"] == 1


def lose(name: str) -> None:
    file = store.local_path(name)
    assert file
    file.unlink()


def damage(name: str) -> None:
    """Change one byte; the size stays."""
    file = store.local_path(name)
    assert file
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)


def assert_refused(channel: Channel, manager: User, words: str) -> None:
    before = live_on(channel)
    with pytest.raises((ManifestMissing, BlobsMissing), match=words):
        publishing.roll_back(channel=channel, reason="broken", actor=manager)
    assert live_on(channel) == before
    assert words in (called("--dry-run")["refused"] or "")
    page = staff_client(manager).get(f"/admin/releases/channel/{channel.pk}/roll-back/1/")
    assert "It cannot be done" in page.content.decode()
    assert "Roll back to" not in page.content.decode().partition("<main")[2].partition("<form")[2]


def test_a_manifest_that_is_lost_or_damaged_is_not_gone_back_to(
    second: Release, live: Release, manager: User
) -> None:
    assert live.manifest
    damage(live.manifest.file_name)
    assert_refused(live.channel, manager, "is damaged in storage")
    lose(live.manifest.file_name)
    assert_refused(live.channel, manager, "is missing from storage or damaged")


def test_another_manifest_under_its_name_is_not_gone_back_to(
    second: Release, live: Release, manager: User
) -> None:
    assert live.manifest
    assert second.manifest
    Manifest.objects.filter(pk=live.manifest_id).update(
        file_name=second.manifest.file_name,
        file_sha256=second.manifest.file_sha256,
        file_size_bytes=second.manifest.file_size_bytes,
        revision=2,
    )
    assert_refused(live.channel, manager, "is not the manifest")


def test_contents_that_would_come_back_have_to_be_there(
    second: Release, live: Release, manager: User
) -> None:
    for path in ("css/site.css", "js/old.js"):
        entry = manifest_reader_of(live).lookup(path)
        assert entry
        lose(store.blob_name(entry.blob))
    assert_refused(live.channel, manager, "Storage lacks 2 of the contents that would come back")


def test_what_is_served_already_is_not_asked_for(second: Release, live: Release, manager: User) -> None:
    entry = manifest_reader_of(live).lookup("index.html")
    assert entry
    lose(store.blob_name(entry.blob))
    assert second.manifest
    refuse_unless_whole(live.manifest, instead_of=second.manifest)  # type: ignore[arg-type]
    lose(second.manifest.file_name)
    with pytest.raises(BlobsMissing):
        refuse_unless_whole(live.manifest, instead_of=second.manifest)  # type: ignore[arg-type]


def page_of(channel: Channel, manager: User, sequence: int = 1, query: str = "") -> str:
    page = staff_client(manager).get(f"/admin/releases/channel/{channel.pk}/roll-back/{sequence}/{query}")
    return " ".join(page.content.decode().split())


def test_a_page_looks_at_the_first_contents_and_the_service_at_all(
    second: Release, live: Release, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wholeness, "LOOKED_AT", 1)
    entry = manifest_reader_of(live).lookup("js/old.js")
    assert entry
    lose(store.blob_name(entry.blob))
    assert "storage has the contents of the first 1 paths that come back" in page_of(live.channel, manager)
    assert "It cannot be done" in page_of(live.channel, manager, query="?count=1"), "who asks for all waits"
    with pytest.raises(BlobsMissing, match="lacks 1 of the contents"):
        publishing.roll_back(channel=live.channel, reason="broken", actor=manager)
    assert live_on(live.channel).sequence == 2


def test_a_page_that_found_nothing_that_comes_back_in_time_does_not_say_that_all_is_there(
    live: Release, publish: Publish, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    boundary = next(path for path in (f"m/{number}" for number in range(4_000)) if starts_bucket(path))
    publish(put(boundary, "comes back"))
    publish(put("a.txt", "goes"), remove(boundary))
    monkeypatch.setattr("apps.releases.manifest.pair.BUCKETS_AT_ONCE", 1)
    monkeypatch.setattr(wholeness, "kept_tally", lambda old, new: None)
    assert "each content that comes back." in page_of(live.channel, manager, 2)
    monkeypatch.setattr(wholeness, "Reach", partial(Reach, buckets=1))
    assert "and its digest, but none of the contents that come back yet." in page_of(live.channel, manager, 2)
    assert "each content that comes back." in page_of(live.channel, manager, 2, query="?count=1")


def test_a_page_reads_no_manifest_that_this_machine_has_read(
    second: Release, live: Release, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def reading(file: Path) -> str:
        read.append(file)
        return file_sha256(file)

    monkeypatch.setattr("apps.releases.rolling_back.wholeness.file_sha256", reading)
    assert "each content that comes back" in page_of(live.channel, manager)
    assert read == [], "the build has read it"
    assert live.manifest
    file = store.local_path(live.manifest.file_name)
    assert file
    file.touch()
    for _ in range(2):
        assert "each content that comes back" in page_of(live.channel, manager)
    assert read == [file], "once more, since it was touched"
    publishing.roll_back(channel=live.channel, reason="broken", actor=manager)
    assert read == [file, file], "before a switch each byte is read"


def test_storage_is_looked_at_before_the_channel_is_locked_and_again_where_it_has_moved(
    second: Release, live: Release, manager: User, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    depths, compared_with = [], []
    outside = len(connection.savepoint_ids)

    def look(manifest: Manifest, *, instead_of: Manifest | None) -> None:
        depths.append(len(connection.savepoint_ids) - outside)
        compared_with.append(instead_of)
        refuse_unless_whole(manifest, instead_of=instead_of)
        if len(depths) == 2:
            publish(put("index.html", "<h1>Meanwhile</h1>"))

    monkeypatch.setattr(publishing, "refuse_unless_whole", look)
    publishing.roll_back(channel=live.channel, to=1, reason="broken", actor=manager, is_planned=True)
    assert depths == [0], "no transaction, and so no lock, was open"
    publishing.roll_back(channel=live.channel, to=2, reason="it was not", actor=manager, is_planned=True)
    assert depths == [0, 0, 1], "what somebody published meanwhile is compared with under the lock"
    assert compared_with[-1] != compared_with[-2]
    assert live_on(live.channel).manifest_id == second.manifest_id
