"""docs/debugging-a-header.md, step by step: what it tells people to type, and what it says they will read."""

import io
import re
import shlex
import sys

import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.caching.services import add_rule
from apps.delivery.pointer import ChannelOptions
from apps.delivery.release import LiveRelease
from apps.delivery.respond import Request, respond
from apps.releases.models import Channel
from apps.releases.selectors import live_publication, open_manifest
from apps.releases.services import drafts, publishing, review
from assetsite.settings import BASE_DIR
from tests.releases.conftest import Publish, put

TEXT = (BASE_DIR / "docs" / "debugging-a-header.md").read_text()
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
STYLES = {
    "name": "Style sheets",
    "order": 300,
    "match": {"folders": ["theme"]},
    "policy": {"browser_ttl_seconds": 30 * 86_400},
    "examples": [{"url": "/theme/site.css", "rule": "styles", "is_cached": True}],
    "expected_result": "Style sheets are asked for once a month.",
    "rollback_note": "Go back if somebody sees old styles.",
}


def steps() -> list[tuple[str, list[str]]]:
    """Return each command of the document with the lines that it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            else:
                found[-1][1].append(line)
    return found


def asked(channel: Channel, path: str) -> str:
    """Return the head of delivery's answer, as `curl -I` prints it."""
    live = live_publication(channel)
    assert live
    served = LiveRelease(
        "production", live.release_id, live.sequence, live.manifest_id, live.tag, 0, 0,
        open_manifest(live.manifest), ChannelOptions(names_release=channel.names_release),
    )  # fmt: skip
    answer = respond(Request("HEAD", path, {}), served, now=0)
    return "\n".join(
        [f"HTTP/1.1 {answer.status} OK", *(f"{name}: {value}" for name, value in answer.headers)]
    )


def typed(command: str, channel: Channel, monkeypatch: pytest.MonkeyPatch) -> str:
    """Do what a command line does: ask, ask and pipe, or manage."""
    asking, _, managing = command.rpartition(" | ")
    if command.startswith("curl") and not asking:
        return asked(channel, "/theme/site.css")
    if asking:
        head = asked(channel, "/theme/site.css").encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(head)))
    script, *words = shlex.split(managing)
    assert script == "scripts/manage"
    output = io.StringIO()
    call_command(*words, stdout=output, stderr=output)
    return output.getvalue()


def test_each_step_prints_what_the_document_says(
    publish: Publish,
    production: Channel,
    administrator: User,
    manager: User,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.PINNED_HOSTS = {"localhost": "production"}
    publish(put("theme/site.css", "a {}"))
    add_rule(slug="styles", actor=manager, content=STYLES)
    release = drafts.create_release(
        title="Styles for a month", channel=production, changes=[], actor=manager,
        expected_result="Style sheets are asked for once a month.", rollback_note="Disable the rule.",
    )  # fmt: skip
    submitted = review.submit(release=release, actor=manager)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=administrator)
    publishing.publish(release=release, actor=manager)

    for command, expected in steps():
        printed = DATE.sub("2026-11-29", typed(command, production, monkeypatch)).splitlines()
        print(command, *printed, sep="\n")
        for line in expected:
            assert line in [each.strip() if not line.startswith(" ") else each for each in printed], (
                command,
                printed,
            )
    assert len(steps()) > 10
