"""What the migrations of releases do to rows that are there, and to guards that SQLite would lose.

One database goes through all of them: forwards, backwards and forwards again, with a history in it. Each step
adds rows to the tables that it made and tries their constraints.
"""

from base64 import b64decode
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from django.db import IntegrityError
from django.db.migrations import AddField, CreateModel
from django.db.migrations.loader import MigrationLoader
from pytest_django import DjangoDbBlocker

from apps.releases.history.seals import genesis, hash_of
from tests.migrating import Migrating, migrating
from tests.serving import SIGNING_KEY

AT, LATER = "2026-01-01T00:00Z", "2030-01-01T00:00Z"
BEGUN = "0002_guards"


def refuse(word: str, write: Callable[[], object]) -> None:
    with pytest.raises(IntegrityError, match=word):
        write()


def begin(database: Migrating) -> None:
    """Release 1 was live, taken back and published again; 2 is a draft, 3 in review, approved by ben."""
    rows = database.rows
    eva, ben, _ = (
        rows("accounts.User").create(username=name, is_superuser=name != "eva")
        for name in ("eva", "ben", "ann")
    )
    channel = rows("releases.Channel").create(name="production")
    first, second = (
        rows("releases.Manifest").create(digest=letter * 64, path_count=1, file_size_bytes=1)
        for letter in "ab"
    )
    brief = {
        "channel": channel,
        "created_by": eva,
        "owner": eva,
        "expected_result": "x",
        "rollback_note": "y",
    }
    release = rows("releases.Release").create(title="First", manifest=first, **brief)
    move(database, release.pk, "in_review", "approved")
    values = {"channel": channel, "release": release, "manifest": first, "actor": eva, "published_at": AT}
    publication = rows("releases.Publication").create(sequence=1, kind="publish", tag="p-1", **values)
    move(database, release.pk, "published")
    rows("releases.Publication").create(
        sequence=2, kind="rollback", returns_to=publication, reason="broken", tag="p-2", **values
    )
    rows("releases.Release").create(title="Draft", **brief)
    waiting = rows("releases.Release").create(
        title="Waits", manifest=second, base=release, base_manifest=first, **brief
    )
    move(database, waiting.pk, "in_review")
    rows("releases.Approval").create(release=waiting, manifest=second, approver=ben)


def move(database: Migrating, release: int, *states: str) -> None:
    for state in states:
        database.rows("releases.Release").filter(pk=release).update(state=state)


class Known:
    """The rows that `begin` has made, as they are at this migration."""

    def __init__(self, database: Migrating) -> None:
        self.eva, self.ben, self.ann = database.rows("accounts.User").order_by("pk")
        self.first, self.draft, self.waiting = database.rows("releases.Release").order_by("pk")
        self.channel = database.rows("releases.Channel").get()
        self.publication, self.rollback = database.rows("releases.Publication").order_by("sequence")


def options(database: Migrating, known: Known) -> None:
    now = known.channel
    assert (now.clean_urls, now.not_found_page, now.names_release) == (False, "404.html", True)
    assert (now.early_hints, now.fingerprints) == (False, False)
    assert (now.retention_days, now.retention_publications) == (30, 20)


def redirects(database: Migrating, known: Known) -> None:
    redirect = {"source": "old", "kind": "put", "target": "/new", "status": 308, "author": known.eva}
    rows = database.rows("releases.RedirectChange")
    rows.create(release=known.draft, **redirect)
    refuse("release_closed", lambda: rows.create(release=known.waiting, **redirect))


def retained_names(database: Migrating, known: Known) -> None:
    rows = database.rows("releases.RetainedNames")
    rows.create(channel=known.channel, path_count=1, file_name="m", file_size_bytes=1, oldest_publication=1)
    refuse("retained_names_have_a_file", lambda: rows.update(file_name=""))


def requirements(database: Migrating, known: Known) -> None:
    rows, channel = database.rows("releases.Channel"), known.channel
    assert (channel.requires_baseline, channel.approver_group_id) == (False, None)
    assert (channel.is_protected, channel.time_zone) == (False, "UTC")
    refuse("channel_named", lambda: rows.update(name="another"))
    refuse(
        "channel_protected_asks_for_approval", lambda: rows.update(is_protected=True, required_approvals=0)
    )


def schedules(database: Migrating, known: Known) -> None:
    rows = database.rows("releases.Schedule")
    rows.create(
        release=known.first,
        manifest=known.first.manifest,
        action="end",
        at=LATER,
        time_zone="UTC",
        by=known.eva,
    )
    refuse("schedule_settled", lambda: rows.update(action="publish"))


def seals(database: Migrating, known: Known) -> None:
    first, second = database.rows("releases.PublicationSeal").order_by("sequence")
    assert '"tag":"p-1"' in first.statement
    assert '"actor_name":"eva","reason":"broken"' in second.statement
    assert first.previous_hash == genesis("production")
    assert second.previous_hash == first.hash == hash_of(first.statement)
    SIGNING_KEY.public.check(b64decode(second.signature), second.statement.encode())
    refuse("append_only", lambda: database.rows("releases.PublicationSeal").update(hash=""))


def receipts(database: Migrating, known: Known) -> None:
    rows = database.rows("releases.Receipt")
    assert not rows.exists()  # a history from before there were receipts stays without
    receipt = rows.create(publication=known.publication)
    refuse("receipt_has_a_verdict_when_finished", lambda: rows.update(verdict="verified"))
    rows.update(verdict="unknown", words="nobody looked", finished_at=AT)
    refuse("receipt_closed", lambda: rows.update(words=""))
    step = {"kind": "node", "number": 0, "subject": "web-1", "at": AT, "is_good": True, "words": "x"}
    refuse("receipt_closed", lambda: database.rows("releases.ReceiptStep").create(receipt=receipt, **step))


def holds(database: Migrating, known: Known) -> None:
    rows = database.rows("releases.Hold")
    rows.create(channel=known.channel, reason="Wait", placed_by=known.eva, placed_at=AT)
    refuse(
        "one_open_hold",
        lambda: rows.create(channel=known.channel, reason="x", placed_by=known.ben, placed_at=AT),
    )
    refuse("append_only", lambda: rows.update(reason="another"))
    rows.update(lifted_by=known.ben, lifted_at=AT, lift_reason="ok")


def origins(database: Migrating, known: Known) -> None:
    database.rows("releases.Contributor").create(release=known.draft, person=known.ben, path="a.css")
    rows = database.rows("releases.Origin")
    rows.create(release=known.draft, kind="revert", source=known.first)
    refuse("append_only", lambda: rows.update(kind="split"))
    refuse("release_closed", lambda: rows.create(release=known.waiting, kind="revert", source=known.first))
    resolution = {
        "kind": "file",
        "name": "a.css",
        "choice": "ours",
        "seen": "0" * 64,
        "decided_by": known.eva,
    }
    database.rows("releases.Resolution").create(release=known.draft, **resolution)


def emergencies(database: Migrating, known: Known) -> None:
    digest = known.waiting.manifest
    request = database.rows("releases.EmergencyRequest").create(
        release=known.waiting, manifest=digest, asked_by=known.ann, asked_at=AT, reason="Now."
    )
    rows = database.rows("releases.EmergencyPublication")
    mark = {"request": request, "channel": known.channel, "sequence": 3, "confirmed_at": AT}
    for person in (known.ann, known.eva):
        refuse("self_approval", partial(rows.create, confirmed_by=person, **mark))
    rows.create(confirmed_by=known.ben, **mark)
    hosts = database.rows("releases.ChannelHost")
    hosts.create(channel=known.channel, host="example.org")
    refuse("host_is_in_lower_case", lambda: hosts.create(channel=known.channel, host="Example.com"))
    window = {"from_date": "2026-12-24", "to_date": "2026-12-27", "from_time": "0:00", "to_time": "0:00"}
    windows = database.rows("releases.FreezeWindow")
    windows.create(channel=known.channel, added_by=known.eva, **window)
    refuse("freeze_window_is_weekly_or_once", lambda: windows.update(from_weekday=1))
    overrides = database.rows("releases.FreezeOverride")
    overrides.create(publication=known.publication, reason="Shop", windows="Christmas")
    refuse("append_only", lambda: overrides.update(reason="another"))


def previews(database: Migrating, known: Known) -> None:
    rows = database.rows("releases.Preview")
    rows.create(release=known.draft, key="0" * 16, is_of_draft=True, expires_at=LATER, created_by=known.eva)
    refuse("append_only", lambda: rows.all().delete())
    refuse("preview_fixed", lambda: rows.update(key="1" * 16))


def review(database: Migrating, known: Known) -> None:
    rows = database.rows("releases.Release").filter(pk=known.draft.pk)
    rows.update(owner=known.ben)
    rows.update(owner=known.eva)
    [once] = database.rows("releases.Involvement").filter(kind="owned", person=known.ben)
    assert once.release_id == known.draft.pk
    comment = database.rows("releases.Comment").create(release=known.draft, author=known.ben, text="Hm.")
    refuse("comment_says_something", lambda: database.rows("releases.Comment").create(
        release=known.draft, author=known.ben, text=""))  # fmt: skip
    database.rows("releases.Settlement").create(comment=comment, is_resolved=True, actor=known.ben)
    refuse("append_only", lambda: database.rows("releases.Settlement").update(is_resolved=False))


def drills(database: Migrating, known: Known) -> None:
    rows = database.rows("releases.Drill")
    row = {
        "release": known.first, "manifest": known.first.manifest, "actor": known.eva, "started_at": AT,
        "channel": known.channel, "earlier": known.publication, "published": known.publication,
    }  # fmt: skip
    ended = {"finished_at": AT, "outcome": "failed", "words": "nobody looked"}
    refuse("drill_open", lambda: rows.create(**row, **ended))
    rows.create(**row)
    refuse("drill_has_an_outcome_when_finished", lambda: rows.update(finished_at=AT, outcome="passed"))
    rows.update(**ended)
    refuse("drill_finished", lambda: rows.update(words=""))


def proposals(database: Migrating, known: Known) -> None:
    rows, channels = database.rows("releases.ChannelProposal"), database.rows("releases.Channel")
    refuse("not_confirmed", lambda: channels.update(required_approvals=0))
    rows.create(
        channel=known.channel, field="required_approvals", before="1", after="0", proposed_by=known.ann
    )
    refuse("self_approval", lambda: rows.update(state="confirmed", decided_by=known.ann, decided_at=AT))
    rows.update(state="confirmed", decided_by=known.ben, decided_at=AT)
    channels.update(required_approvals=0)
    assert rows.get().state == "applied"
    channels.update(required_approvals=1)


def one_rule(database: Migrating, known: Known) -> None:
    waiting = database.rows("releases.Release").filter(pk=known.waiting.pk)
    refuse("not_published", lambda: waiting.update(state="published"))
    refuse("stale_digest", lambda: waiting.update(state="draft"))
    refuse(
        "append_only",
        lambda: database.rows("releases.Release").filter(pk=known.draft.pk)._raw_delete("migrating"),
    )


def rule_combination(database: Migrating, known: Known) -> None:
    rows = database.rows("releases.Release")
    assert set(rows.values_list("rule_combination", flat=True)) == {"first"}
    rows.filter(pk=known.draft.pk).update(rule_combination="merge")
    refuse("release_closed", lambda: rows.filter(pk=known.waiting.pk).update(rule_combination="merge"))


def tagging(database: Migrating, known: Known) -> None:
    rows = database.rows("releases.Release")
    assert set(rows.values_list("tagging", flat=True)) == {None}
    first, second, third = (
        database.rows("assets.Tagging").create(created_by_id=known.ben.pk) for _ in range(3)
    )
    asset, _ = database.rows("assets.Asset").get_or_create(path="a.css")
    tags = database.rows("assets.AssetTag")
    given = tags.create(asset_id=asset.pk, name="sale", since_id=first.pk)
    rows.filter(pk=known.draft.pk).update(tagging=second.pk)
    refuse("release_closed", lambda: rows.filter(pk=known.waiting.pk).update(tagging=second.pk))
    refuse("tags_pinned", lambda: tags.create(asset_id=asset.pk, name="hero", since_id=second.pk))
    refuse("tags_pinned", lambda: tags.filter(pk=given.pk).update(until=second.pk))
    tags.filter(pk=given.pk).update(until=third.pk)
    rows.filter(pk=known.draft.pk).update(tagging=None)


def cleared_manifests(database: Migrating, known: Known) -> None:
    rows = database.rows("releases.Manifest")
    assert set(rows.values_list("cleared_at", flat=True)) == {None}
    rows.update(cleared_at=AT)


def open_drills(database: Migrating, known: Known) -> None:
    assert not database.rows("releases.Drill").filter(finished_at=None).exists()
    assert database.rows("releases.Drill").filter(channel=known.channel).exists()


def purges(database: Migrating, known: Known) -> None:
    rows = database.rows("releases.Purge")
    rows.create(publication=known.publication, cache="PURGE 127.0.0.1:6081", total=2)
    refuse(
        "purge",
        lambda: rows.create(publication=known.publication, cache="PURGE 127.0.0.1:6081", total=1),
    )
    refuse("purge_tells_what_there_is", lambda: rows.update(done=3))
    refuse("purge_is_finished_or_waits", lambda: rows.update(state="done", finished_at=AT))
    rows.update(state="done", done=2, finished_at=AT)


def kept_by_guards(database: Migrating, known: Known) -> None:
    hosts, former = database.rows("releases.ChannelHost"), database.rows("releases.FormerHost")
    hosts.filter(host="example.org").delete()
    assert former.get().channel_id == known.channel.pk
    refuse("append_only", lambda: former.update(host="another.example"))
    refuse("append_only", lambda: former.all()._raw_delete("migrating"))
    lax = database.rows("releases.Channel").create(name="lax", required_approvals=0)
    refuse("asks_for_less", lambda: hosts.create(channel=lax, host="example.org"))
    hosts.create(channel=known.channel, host="example.org")
    assert not former.exists()
    lax.delete()
    waiting = database.rows("releases.Release").filter(pk=known.waiting.pk)
    refuse("reason_missing", lambda: waiting.update(state="rejected"))
    late = {"channel": known.channel, "sequence": 4, "confirmed_by": known.ben}
    request = database.rows("releases.EmergencyRequest").create(
        release=known.waiting, manifest=known.waiting.manifest, asked_by=known.ann, asked_at=AT, reason="Now."
    )
    marks = database.rows("releases.EmergencyPublication")
    refuse("expired", lambda: marks.create(request=request, confirmed_at=LATER, **late))


def checks(database: Migrating, known: Known) -> None:
    results, overrides = database.rows("releases.CheckResult"), database.rows("releases.CheckOverride")
    waiting = known.waiting
    row = {"release": waiting, "manifest": waiting.manifest, "name": "x", "words": "w", "at": AT}
    refuse("check_fails_by_its_findings", lambda: results.create(outcome="failed", **row))
    failed = results.create(outcome="failed", finding_count=1, **row)
    approved = partial(database.rows("releases.Release").filter(pk=waiting.pk).update, state="approved")
    refuse("checks_failed", approved)
    refuse(
        "self_approval|forbidden", lambda: overrides.create(result=failed, by=known.eva, reason="x", at=AT)
    )
    overrides.create(result=failed, by=known.ben, reason="x", at=AT)
    refuse("append_only", lambda: overrides.update(reason="y"))
    refuse("append_only", lambda: results.update(words="y"))


def examples_on_receipts(database: Migrating, known: Known) -> None:
    receipt = database.rows("releases.Receipt").create(publication=known.rollback)
    steps = database.rows("releases.ReceiptStep")
    step = {"kind": "rule", "number": 0, "subject": "Examples", "at": AT, "is_good": True, "words": "1 hold"}
    steps.create(receipt=receipt, **step)
    refuse("append_only", lambda: steps.update(words=""))


def drift(database: Migrating, known: Known) -> None:
    looks = database.rows("releases.Drift")
    row = {"channel": known.channel, "url": "https://a", "began_at": AT, "looked_at": AT, "asked": 1}
    looks.create(outcome="right", words="", **row)
    refuse("drift_outcome_is_known", lambda: looks.create(outcome="odd", words="", **row))


def what_caches_said(database: Migrating, known: Known) -> None:
    looks = database.rows("releases.Drift")
    assert looks.get().caches is None
    looks.update(caches={"everything": {"asked": 1, "said": 1, "hit": 0}})
    assert looks.get().caches["everything"]["said"] == 1


def in_front_on_receipts(database: Migrating, known: Known) -> None:
    receipts, steps = database.rows("releases.Receipt"), database.rows("releases.ReceiptStep")
    step = {"number": 0, "subject": "https://a", "at": AT, "is_good": True, "words": "1 holds"}
    receipt = receipts.get(publication=known.rollback)
    refuse("receipt_closed", lambda: steps.create(receipt=receipt, kind="front", **step))
    receipts.filter(pk=receipt.pk).update(verdict="unknown", words="w", finished_at=AT)
    refuse("receipt_closed", lambda: steps.create(receipt=receipt, kind="node", **step))
    steps.create(receipt=receipt, kind="front", **step)
    refuse("one_receipt_step_a_number|UNIQUE", lambda: steps.create(receipt=receipt, kind="front", **step))


def surrogate_keys(database: Migrating, known: Known) -> None:
    receipts, purges = database.rows("releases.Receipt"), database.rows("releases.Purge")
    assert set(receipts.values_list("surrogate_keys", "keyed_url_count")) == {(None, None)}
    assert set(purges.values_list("key_count", flat=True)) == {None}
    refuse("receipt_closed", lambda: receipts.update(surrogate_keys={"css": 1}, keyed_url_count=1))
    purges.update(key_count=1)


def looked_again(database: Migrating, known: Known) -> None:
    steps = database.rows("releases.ReceiptStep")
    receipt = database.rows("releases.Receipt").get(publication=known.rollback)
    assert set(steps.values_list("asked_by", flat=True)) == {None}
    step = {"kind": "front", "subject": "https://a", "at": AT, "is_good": True, "words": "1 holds"}
    steps.create(receipt=receipt, number=1000, asked_by=known.ben, **step)
    refuse("append_only", lambda: steps.update(asked_by=None))


STEPS: dict[str, Callable[[Migrating, Known], None]] = {
    "0003_channel_options": options,
    "0004_redirects": redirects,
    "0005_retained_names": retained_names,
    "0006_channel_requirements": requirements,
    "0007_schedules": schedules,
    "0008_seals": seals,
    "0009_receipts": receipts,
    "0010_holds": holds,
    "0011_origins": origins,
    "0012_hosts_freezes_emergencies": emergencies,
    "0013_previews": previews,
    "0014_review": review,
    "0015_drills": drills,
    "0016_channel_proposals": proposals,
    "0017_one_rule": one_rule,
    "0018_rule_combination": rule_combination,
    "0019_cleared_manifests": cleared_manifests,
    "0020_open_drills": open_drills,
    "0021_purges": purges,
    "0022_kept_by_guards": kept_by_guards,
    "0023_checks": checks,
    "0024_examples_on_receipts": examples_on_receipts,
    "0025_drift": drift,
    "0026_what_caches_said": what_caches_said,
    "0027_in_front_on_receipts": in_front_on_receipts,
    "0028_tagging": tagging,
    "0029_surrogate_keys": surrogate_keys,
    "0030_looked_again": looked_again,
}


def test_every_migration_comes_goes_and_comes_again_beside_a_history(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    names = [BEGUN, *STEPS]
    with django_db_blocker.unblock(), migrating(tmp_path) as database:
        database.to("releases", BEGUN)
        begin(database)
        for name, step in STEPS.items():
            database.to("releases", name)
            assert_as_it_was(database)
            step(database, Known(database))
        for name in (*reversed(names[:-1]), names[-1]):
            database.to("releases", name)
            assert_as_it_was(database)


def assert_as_it_was(database: Migrating) -> None:
    """See that history, approvals and guards are those that were there before."""
    known = Known(database)
    assert (known.publication.tag, known.rollback.tag, known.channel.required_approvals) == ("p-1", "p-2", 1)
    states = [release.state for release in (known.first, known.draft, known.waiting)]
    assert states == ["published", "draft", "in_review"]
    assert database.rows("releases.Approval").get().approver_id == known.ben.pk
    database.assert_guarded()


def test_no_migration_is_left_out() -> None:
    on_disk = {name for app, name in MigrationLoader(None).disk_migrations if app == "releases"}
    assert on_disk == {"0001_initial", BEGUN, *STEPS}


# Of a channel there are a few rows, and a rehearsal is one row for what people did.
SMALL = {("releases", "channel"), ("releases", "drill")}
# The index of 0028 is of a column that the same migration adds: every row is looked at, and none is written.
IN_ONE_GO = {("releases", "0005_retained_names"), ("releases", "0028_tagging")}


def test_no_migration_locks_or_rewrites_a_table_that_may_be_large() -> None:
    """On PostgreSQL an index, a constraint or a column that is filled locks its table while rows are read."""
    found = []
    for (app, name), migration in MigrationLoader(None).disk_migrations.items():
        if app not in ("accounts", "notifications", "releases") or (app, name) in IN_ONE_GO:
            continue
        made = {each.name_lower for each in migration.operations if isinstance(each, CreateModel)}
        for operation in migration.operations:
            model = getattr(operation, "model_name", "").lower()
            is_free = isinstance(operation, AddField) and operation.field.null
            if model and model not in made and (app, model) not in SMALL and not is_free:
                found.append((app, name, operation.describe()))
    assert found == []
