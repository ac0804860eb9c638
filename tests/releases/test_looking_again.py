"""After a cache was mended somebody has it looked again: the receipt keeps both looks, with who and when."""

import json
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django.asserts import assertContains, assertNotContains
from pytest_django.fixtures import Settings

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.jobs.models import Job
from apps.jobs.services import run as run_job
from apps.releases.exceptions import CannotLookAgain
from apps.releases.models import Publication
from apps.releases.services import looking_again
from apps.releases.services.drift import KIND, NoPublicUrl
from tests.front import Front, with_header
from tests.releases.conftest import Publish, put
from tests.releases.test_in_front import as_a_cache, become, both, front, in_front, live, looked, page, said
from tests.staff import staff_client

__all__ = ["front", "live"]


@pytest.fixture
def spoilt(live: Publication, front: Front) -> Publication:
    """A publication that was seen through a cache that changed a header, and does so no more."""
    front.change = both(with_header("Cache-Control", "max-age=7"), as_a_cache)
    looked()
    front.change = as_a_cache
    assert in_front(live)["state"] == "fails"
    return live


def test_an_editor_has_it_looked_again_and_both_looks_are_kept(
    spoilt: Publication, front: Front, editor: User, viewer: User, capsys: pytest.CaptureFixture[str]
) -> None:
    client = staff_client(editor)
    channel = client.get(f"/admin/releases/channel/{spoilt.channel_id}/change/")
    assertContains(channel, f'<a href="{page(spoilt)}#in-front">the receipt</a> of what is live')
    assertContains(client.get(page(spoilt)), "Look again</button>")
    before = in_front(spoilt)
    for _ in range(2):  # a second click, or a second person, asks for the same look
        shown = client.post(page(spoilt), follow=True)
    assertContains(shown, "The background worker is about to look again.")
    assertNotContains(shown, "Look again</button>")
    job = Job.objects.get(kind=KIND, state=Job.State.QUEUED)
    run_job(job.pk)

    found = in_front(spoilt)
    assert (found["state"], found["asked_by"], found["steps"]) == ("holds", editor.username, [])
    [first] = found["earlier"]
    assert {**first, "earlier": []} == before
    assert (first["state"], first["asked_by"]) == ("fails", None)
    assert [step["subject"] for step in first["steps"]][-1] == "cache-control at /css/app.css"
    entry = AuditEntry.objects.get(action="publication.look_again")
    assert entry.actor == editor
    shown = staff_client(viewer).get(page(spoilt))
    assertContains(shown, f"{editor} had it looked at again")
    assertContains(shown, "and visitors get what was published.")
    assertContains(shown, "cache-control at /css/app.css")
    printed = said(spoilt, capsys)
    assert f"; {editor} had it looked again" in printed
    assert "✕ before that, at " in printed


def test_a_look_that_found_a_cache_behind_is_asked_for_again(spoilt: Publication, editor: User) -> None:
    job = looking_again.ask_to_look_again(publication=spoilt, actor=editor)
    become(spoilt.purges.get(), "failed")
    run_job(job.pk)
    become(spoilt.purges.get(), "done")
    assert in_front(spoilt)["earlier"] == []
    run_job(looking_again.ask_to_look_again(publication=spoilt, actor=editor).pk)
    assert in_front(spoilt)["asked_by"] == editor.username


def test_the_command_looks_at_once(
    spoilt: Publication, front: Front, editor: User, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    front.status = 503
    as_editor = ("--look-again", "--as", editor.username, "--json")
    call_command("release", "receipt", spoilt.tag, *as_editor)
    assert json.loads(capsys.readouterr().out)["in_front"]["state"] == "fails"
    front.status = 0
    call_command("release", "receipt", spoilt.tag, *as_editor)
    found = json.loads(capsys.readouterr().out)["in_front"]
    assert (found["state"], found["asked_by"]) == ("holds", editor.username)
    assert [each["asked_by"] for each in found["earlier"]] == [None, editor.username]


def test_who_may_not_is_told_and_nothing_is_looked_at(
    spoilt: Publication, front: Front, viewer: User
) -> None:
    front.asked.clear()
    client = staff_client(viewer)
    assertContains(client.get(page(spoilt)), "may not have it looked again what visitors get")
    assertContains(client.post(page(spoilt), follow=True), "Ask an editor")
    with pytest.raises(Forbidden):
        looking_again.look_again(publication=spoilt, actor=viewer)
    assert not front.asked
    assert not Job.objects.filter(state=Job.State.QUEUED).exists()


def refusal(publication: Publication, actor: User) -> str:
    with pytest.raises((CannotLookAgain, NoPublicUrl)) as refused:
        looking_again.ask_to_look_again(publication=publication, actor=actor)
    return str(refused.value)


def test_what_could_prove_nothing_is_refused_with_what_to_do(
    live: Publication,
    front: Front,
    editor: User,
    publish: Publish,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "`scripts/manage rule drift --channel production` looks at once" in refusal(live, editor)
    assertNotContains(staff_client(editor).get(page(live)), "Look again</button>")
    looked()
    become(live.purges.get(), "failed")
    assert "It is too early to look: varnish 10.0.0.5 has to forget what changed" in refusal(live, editor)
    become(live.purges.get(), "done")
    with monkeypatch.context() as patched:
        patched.setattr(looking_again, "MOST_LOOKS", 1)
        assert "It was looked at 1 times" in refusal(live, editor)
    publish(put("a.txt", "a"))
    assert "has taken the place of" in refusal(live, editor)
    settings.PUBLIC_URLS = {}
    assert "PUBLIC_URLS" in refusal(live, editor)


def test_a_look_that_another_publication_overtakes_is_noted_nowhere(
    spoilt: Publication, editor: User, publish: Publish
) -> None:
    job = looking_again.ask_to_look_again(publication=spoilt, actor=editor)
    publish(put("b.txt", "b"))
    run_job(job.pk)
    found: Any = in_front(spoilt)
    assert (found["state"], found["earlier"]) == ("fails", [])
