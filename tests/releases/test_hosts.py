"""Hosts of channels: typed in any way, kept once, and written to storage for whoever serves them."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.assets import store
from apps.audit.models import AuditEntry
from apps.releases.channels.hosts import INDEX_NAME, MAX_HOST_CHARACTERS, HostFault, host_of
from apps.releases.exceptions import AsksForLess, ChannelKept, HostTaken, UnknownHost, WrongHost, WrongName
from apps.releases.history.signing import replace_key, verified
from apps.releases.models import Channel, ChannelHost, FormerHost, Release
from apps.releases.selectors import channel_named
from apps.releases.services import channels, drafts, holding, hosts, publishing, review
from apps.releases.services.channel_index import reconcile_index, write_index
from apps.releases.services.making_channels import create_channel, remove_channel
from apps.releases.tasks import reconcile_pointers
from tests.releases.conftest import put
from tests.releases.test_commands import refused, run

Capture = pytest.CaptureFixture[str]
OnCommit = Callable[..., AbstractContextManager[object]]


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        (" WWW.Example.COM. ", "www.example.com"),
        ("räksmörgås.example", "xn--rksmrgs-5wao1o.example"),
        ("localhost", "localhost"),
        ("a_b.example", "a_b.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("*", "*"),
    ],
)
def test_a_host_is_kept_as_browsers_send_it(typed: str, host: str) -> None:
    assert host_of(typed) == host


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "is empty"),
        ("http://www.example.com/", "is an address"),
        ("eva@example.com", "is an address"),
        ("www.example.com:8000", "names a port"),
        ("[::1]:8000", "no IPv6 address"),
        ("[example]", "no IPv6 address"),
        ("*.example.com", r"has a \*"),
        ("a..example", "has a part"),
        ("-a.example", "has a part"),
        ("a b.example", "has a part"),
        ("a" * 64 + ".example", "has a part"),
        ("a." * 130 + "example", "longer than 253"),
        ("300.1.1.1", "no IPv4 address"),
        ("straße.example", "two ways"),
        ("\u0100" * 80 + ".example", "cannot be written"),
    ],
)
def test_what_is_no_host_is_refused_with_why(typed: str, words: str) -> None:
    with pytest.raises(HostFault) as fault:
        host_of(typed)
    assert re.search(words, fault.value.words)


@given(st.text(max_size=60))
def test_whatever_is_typed_is_a_host_that_stays_as_it_is_or_is_refused(typed: str) -> None:
    try:
        host = host_of(typed)
    except HostFault:
        return
    assert host_of(host) == host
    assert host.isascii()
    assert host == host.lower()
    assert len(host) <= MAX_HOST_CHARACTERS


def index() -> dict[str, str] | None:
    content = store.read(INDEX_NAME)
    return verified(content, name=INDEX_NAME)["hosts"] if content else None


def test_hosts_reach_storage_once_they_are_committed_signed_and_once(
    production: Channel, administrator: User, django_capture_on_commit_callbacks: OnCommit
) -> None:
    assert not write_index()
    assert index() is None, "a site whose hosts were never written down has no index"
    with django_capture_on_commit_callbacks(execute=True):
        hosts.add_host(channel=production, host="WWW.example.com", actor=administrator)
        assert index() is None
    assert index() == {"www.example.com": "production"}
    assert not write_index()
    with django_capture_on_commit_callbacks(execute=True):
        hosts.remove_host(channel=production, host="www.example.com", actor=administrator)
    assert index() == {}


def test_an_index_that_was_not_written_or_changed_by_somebody_is_written_again(
    production: Channel, administrator: User
) -> None:
    hosts.add_host(channel=production, host="a.example", actor=administrator)
    assert reconcile_pointers() == ["The index of hosts is as the channels have them."]
    assert reconcile_pointers() == []
    store.replace(INDEX_NAME, json.dumps({"format": 1, "hosts": {"a.example": "evil"}}).encode())
    assert len(reconcile_index()) == 1
    assert index() == {"a.example": "production"}


def test_a_storage_that_refuses_is_tried_again(
    production: Channel, administrator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(name: str, content: bytes) -> None:
        raise OSError("No space left on device")

    hosts.add_host(channel=production, host="a.example", actor=administrator)
    with monkeypatch.context() as patch:
        patch.setattr(store, "replace", full)
        assert reconcile_index() == []
    assert len(reconcile_index()) == 1


def test_another_key_signs_the_index_anew(
    production: Channel, administrator: User, settings: Settings
) -> None:
    settings.SIGNING_KEY = None
    hosts.add_host(channel=production, host="a.example", actor=administrator)
    write_index()
    before = store.read(INDEX_NAME)
    assert not write_index(is_anew=True)
    replace_key()
    assert write_index(is_anew=True)
    assert store.read(INDEX_NAME) != before
    assert index() == {"a.example": "production"}


def test_a_new_site_writes_down_what_its_environment_says_once(
    production: Channel, settings: Settings
) -> None:
    settings.CHANNEL_HOSTS = {"www.example.com": "production", "s.example": "staging", "x.example": "none"}
    assert [row.host for row in hosts.ensure_hosts()] == ["www.example.com", "s.example"]
    settings.CHANNEL_HOSTS = {"other.example": "production"}
    assert hosts.ensure_hosts() == []
    settings.PINNED_HOSTS = {"www.example.com": "staging"}
    assert hosts.all_hosts() == {"www.example.com": "staging", "s.example": "staging"}


def test_a_host_is_one_channels_and_moves_only_when_told_and_to_something(
    live: Release, administrator: User
) -> None:
    production, staging = live.channel, channel_named("staging")
    hosts.add_host(channel=production, host="a.example", actor=administrator)
    with pytest.raises(HostTaken, match=r"production serves a\.example already"):
        hosts.add_host(channel=production, host="A.example", actor=administrator)
    with pytest.raises(HostTaken, match=r"channel host staging a\.example --move"):
        hosts.add_host(channel=staging, host="a.example", actor=administrator)
    with pytest.raises(HostTaken, match="staging has nothing for its visitors yet"):
        hosts.add_host(channel=staging, host="a.example", actor=administrator, is_moved=True)
    hosts.add_host(channel=staging, host="b.example", actor=administrator)
    moved = hosts.add_host(channel=production, host="b.example", actor=administrator, is_moved=True)
    assert moved.channel == production
    assert AuditEntry.objects.latest("pk").summary == (
        "production serves b.example, which staging served before."
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        ChannelHost.objects.create(channel=staging, host="a.example")
    with pytest.raises(IntegrityError, match="lower_case"), transaction.atomic():
        ChannelHost.objects.create(channel=staging, host="Big.example")


@dataclass(frozen=True)
class Two:
    """production, which has www.example.com, and staging, which asks for less; visitors get both."""

    strict: Channel
    lax: Channel
    actor: User

    def add(self, channel: Channel, host: str) -> ChannelHost:
        return hosts.add_host(channel=channel, host=host, actor=self.actor, is_moved=True)

    def remove(self, host: str) -> None:
        hosts.remove_host(channel=self.strict, host=host, actor=self.actor)


@pytest.fixture
def two(live: Release, editor: User, manager: User, administrator: User) -> Two:
    staging = channel_named("staging")
    release = drafts.create_release(
        title="Try",
        channel=staging,
        changes=[put("index.html", "x")],
        actor=editor,
        expected_result="x",
        rollback_note="y",
    )
    publishing.publish(release=review.submit(release=release, actor=editor), actor=manager)
    two = Two(live.channel, staging, administrator)
    two.add(two.strict, "www.example.com")
    return two


def past_services(two: Two, host: str) -> None:
    """Take a host away and add it to the channel that asks for less, as a shell could."""
    with transaction.atomic():
        ChannelHost.objects.filter(host=host).delete()
        ChannelHost.objects.create(channel=two.lax, host=host)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "--required-approvals 1`"),
        ({"is_protected": True}, "--required-approvals 1 --protected on`"),
        ({"approver_group": "Legal and more"}, "--required-approvals 1 --approver-group 'Legal and more'`"),
    ],
)
def test_a_host_goes_on_to_a_channel_that_asks_for_as_much(
    two: Two, asked: dict[str, bool | str], words: str
) -> None:
    Group.objects.create(name="Legal and more")
    channels.set_options(channel=two.strict, actor=two.actor, **asked)
    two.strict.refresh_from_db()
    with pytest.raises(AsksForLess) as refusal:
        two.add(two.lax, "www.example.com")
    assert words in refusal.value.next_step
    host = ChannelHost.objects.filter(host="www.example.com")
    for write in (
        lambda: host.update(channel=two.lax),
        lambda: host.update(host="a.example"),
        lambda: past_services(two, "www.example.com"),
    ):
        with pytest.raises(IntegrityError, match="asks_for_less"), transaction.atomic():
            write()
    channels.set_requirements(channel=two.lax, approvals=1, actor=two.actor, **asked)
    assert two.add(two.lax, "www.example.com").channel == two.lax
    assert two.add(two.strict, "www.example.com").channel == two.strict


def test_a_host_that_no_channel_has_any_more_is_no_way_around_that(two: Two) -> None:
    two.remove("www.example.com")
    for host in ("www.example.com", "*"):
        with pytest.raises(AsksForLess, match=r"Visitors of production know www\.example\.com"):
            two.add(two.lax, host)
        with pytest.raises(IntegrityError, match="asks_for_less"), transaction.atomic():
            ChannelHost.objects.create(channel=two.lax, host=host)
    two.add(two.strict, "www.example.com")
    assert not FormerHost.objects.exists()
    assert two.add(two.lax, "*").channel == two.lax
    with pytest.raises(AsksForLess):
        two.remove("www.example.com")
    with pytest.raises(IntegrityError, match="without its host"), transaction.atomic():
        ChannelHost.objects.filter(host="www.example.com").delete()


def test_a_start_whose_environment_gives_such_a_host_away_starts_all_the_same(
    two: Two, settings: Settings
) -> None:
    two.remove("www.example.com")
    settings.CHANNEL_HOSTS = {"www.example.com": "staging", "s.example": "staging"}
    assert [row.host for row in hosts.ensure_hosts()] == ["s.example"]


def test_a_host_that_nobody_visits_goes_anywhere(two: Two) -> None:
    new = create_channel(name="new", hosts=["new.example"], actor=two.actor)
    assert two.add(two.lax, "new.example").channel == two.lax
    two.add(new, "newer.example")
    remove_channel(channel=new, actor=two.actor)
    assert two.add(two.lax, "newer.example").channel == two.lax


def test_what_cannot_be_a_host_here_is_refused(
    production: Channel, administrator: User, manager: User, settings: Settings
) -> None:
    for typed in ("r1-x.preview.localhost", "preview.localhost", "a:80"):
        with pytest.raises(WrongHost):
            hosts.add_host(channel=production, host=typed, actor=administrator)
    settings.PINNED_HOSTS = {"*": "staging"}
    with pytest.raises(HostTaken, match="gives every other host to staging"):
        hosts.add_host(channel=production, host="*", actor=administrator)
    with pytest.raises(UnknownHost, match="Its hosts: none"):
        hosts.remove_host(channel=production, host="a.example", actor=administrator)
    for act in (hosts.add_host, hosts.remove_host):
        with pytest.raises(Forbidden):
            act(channel=production, host="a.example", actor=manager)


def test_a_channel_is_made_with_its_hosts_or_not_at_all(
    production: Channel, administrator: User, manager: User
) -> None:
    beta = create_channel(name=" Beta ", hosts=["beta.example"], actor=administrator)
    assert (beta.name, beta.required_approvals, beta.hosts.get().host) == ("beta", 1, "beta.example")
    with pytest.raises(HostTaken), transaction.atomic():
        create_channel(name="gamma", hosts=["beta.example"], actor=administrator)
    assert not Channel.objects.filter(name="gamma").exists()
    for name in ("", "a.b", "a/b", "x" * 41, "production"):
        with pytest.raises(WrongName):
            create_channel(name=name, actor=administrator)
    with pytest.raises(Forbidden):
        create_channel(name="delta", actor=manager)


def test_a_channel_with_something_to_keep_is_not_removed(
    live: Release, administrator: User, manager: User
) -> None:
    beta = create_channel(name="beta", hosts=["beta.example"], actor=administrator)
    with pytest.raises(Forbidden):
        remove_channel(channel=beta, actor=manager)
    channels.set_options(channel=beta, actor=administrator, is_protected=True)
    with pytest.raises(ChannelKept, match="is protected"):
        remove_channel(channel=beta, actor=administrator)
    with pytest.raises(ChannelKept, match="has publications"):
        remove_channel(channel=live.channel, actor=administrator)
    held = create_channel(name="held", actor=administrator)
    holding.hold(channel=held, reason="x", actor=administrator)
    with pytest.raises(ChannelKept, match="has holds"):
        remove_channel(channel=held, actor=administrator)
    gone = create_channel(name="gone", hosts=["gone.example"], actor=administrator)
    remove_channel(channel=gone, actor=administrator)
    assert not ChannelHost.objects.filter(host="gone.example").exists()


def test_channels_and_hosts_by_command(live: Release, administrator: User, capsys: Capture) -> None:
    made = run(capsys, "channel", "create", "beta", "--host", "beta.example", "--host", "b.example")
    assert (made["channel"], made["hosts"], made["live"]) == ("beta", ["beta.example", "b.example"], None)
    assert run(capsys, "channel", "host", "production", "www.example.com")["hosts"] == ["www.example.com"]
    words = ("channel", "host", "beta", "www.example.com")
    assert refused(capsys, *words)["code"] == "host_taken"
    moved = run(capsys, "channel", "host", "production", "b.example", "--move")
    assert sorted(moved["hosts"]) == ["b.example", "www.example.com"]
    assert run(capsys, "channel", "unhost", "production", "b.example")["hosts"] == ["www.example.com"]
    assert run(capsys, "channel", "remove", "beta") == {"removed": "beta"}
    assert refused(capsys, "channel", "show", "beta")["code"] == "unknown_channel"
