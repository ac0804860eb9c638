"""Many people who act on one site at one moment: processes with threads, and a connection for each."""

import json
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from typing import Any

from django.db import connection

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.accounts.selectors import acting_user, user_named
from apps.accounts.services import add_user
from apps.assets.intake import take_in
from apps.caching import services
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.serialisation import as_json
from apps.refusals import Refusal
from apps.releases.contents import PutChange
from apps.releases.models import Publication, Release
from apps.releases.selectors import channel_named, release_numbered
from apps.releases.services import drafts, holding, publishing, review

type Acts = list[tuple[str, int]]
"""What a person does, one after another, each with a number."""


def gather(count: int, people: list[str]) -> None:
    """Bring people who may publish, and approved releases on what is live, to a site; print their numbers."""
    administrator = acting_user(None)
    for name in people:
        add_user(username=name, role=Role.MANAGER, password=None, actor=administrator)
    numbers = [_approved(f"number-{number}", administrator).pk for number in range(count)]
    print(json.dumps(numbers))


def _approved(name: str, actor: User) -> Release:
    release = drafts.create_release(
        title=name,
        channel=channel_named("production"),
        changes=[PutChange(take_in([name.encode()], path=f"{name}.txt"))],
        actor=actor,
        expected_result="It is there.",
        rollback_note="Roll back.",
    )
    return review.submit(release=release, actor=actor)


def let_go(crowd: list[dict[str, Acts]]) -> None:
    """Let everybody act at one moment, each group in a process; print what came of each act, as JSON."""
    forking = multiprocessing.get_context("fork")
    start: Barrier = forking.Barrier(sum(map(len, crowd)))
    said: SimpleQueue[dict[str, Any]] = forking.SimpleQueue()
    groups = [forking.Process(target=_live, args=(people, start, said)) for people in crowd]
    for group in groups:
        group.start()
    told = [said.get() for _ in range(sum(len(acts) for people in crowd for acts in people.values()))]
    for group in groups:
        group.join()
    print(json.dumps(told))


def _live(people: dict[str, Acts], start: Barrier, said: "SimpleQueue[dict[str, Any]]") -> None:
    threads = [threading.Thread(target=_act, args=(name, acts, start, said)) for name, acts in people.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _act(name: str, acts: Acts, start: Barrier, said: "SimpleQueue[dict[str, Any]]") -> None:
    start.wait()
    for act, number in acts:
        try:
            done = _DO[act](number, user_named(name))
        except Refusal as refusal:
            said.put({"who": name, "act": act, "code": refusal.code, "message": str(refusal)})
        except Exception as error:  # noqa: BLE001 - nobody is to be waited for in vain
            said.put({"who": name, "act": act, "code": "error", "message": repr(error)})
        else:
            said.put({"who": name, "act": act, "done": done.sequence if done else None})
    connection.close()


def _publish(number: int, actor: User) -> Publication:
    return publishing.publish(release=release_numbered(number), actor=actor)


def _ship(number: int, actor: User) -> Publication:
    """Publish something new on what is live by now."""
    return publishing.publish(release=_approved(f"{actor}-{number}", actor), actor=actor)


def _roll_back(to: int, actor: User) -> Publication:
    return publishing.roll_back(
        channel=channel_named("production"), to=to or None, reason=f"{actor} saw it fail", actor=actor
    )


def _resume(_: int, actor: User) -> None:
    holding.resume(channel=channel_named("production"), reason=f"{actor} looked", actor=actor)


def _hold(_: int, actor: User) -> None:
    holding.hold(channel=channel_named("production"), reason=f"{actor} waits", actor=actor)


def _stop(_: int, actor: User) -> None:
    holding.stop(reason=f"{actor} waits", actor=actor)


def _resume_all(_: int, actor: User) -> None:
    holding.resume_all(reason=f"{actor} looked", actor=actor)


def _save_rule(based_on: int, actor: User) -> None:
    services.add_version(
        rule_slug="everything",
        content=as_json(DEFAULT_RULES["everything"]) | {"description": f"As {actor} wants it."},
        based_on=based_on,
        actor=actor,
    )


def _add_rule(number: int, actor: User) -> None:
    """Add a rule: 0 with a short name that others want, 1 with a name that others want, 2 to be moved."""
    slugs = ["fonts", f"icons-{actor}", "moved"]
    slug, name = slugs[number], [f"Fonts of {actor}", "Icons", "Moved"][number]
    content = as_json(DEFAULT_RULES["everything"])
    content |= {"name": name, "order": 50, "match": {"folders": [slug]}}
    content["examples"] = [{"url": f"/{slug}/a.woff2", "rule": slug, "is_cached": True}]
    services.add_rule(slug=slug, content=content, actor=actor)


def _move_rule(number: int, actor: User) -> None:
    services.move_rule(rule_slug="moved", before=["pages", "everything"][number], actor=actor)


_DO: dict[str, Callable[[int, User], Publication | None]] = {
    "publish": _publish,
    "roll_back": _roll_back,
    "resume": _resume,
    "hold": _hold,
    "stop": _stop,
    "resume_all": _resume_all,
    "ship": _ship,
    "save_rule": _save_rule,
    "add_rule": _add_rule,
    "move_rule": _move_rule,
}
