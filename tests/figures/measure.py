"""Take releases of a large site through their life, and load its pages; print what each took, as JSON."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django

ROUNDS = 5


def main() -> None:
    from apps.releases.selectors import channel_named  # noqa: PLC0415 - Django is set up by now

    channel = channel_named("production")
    steps = [*life(channel, 100), *life(channel, 10_000)]
    print(json.dumps({"steps": steps, "pages": list(pages(channel)), "sizes": sizes(channel)}))


type Step = tuple[str, float, float | None]


def timed(name: str, step: Callable[[], object]) -> Step:
    begun, busy = time.perf_counter(), time.process_time()
    step()
    return name, time.perf_counter() - begun, time.process_time() - busy


def life(channel, count: int) -> Iterator[Step]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Make a release of `count` changes, scattered over the site, publish it and roll it back."""
    from apps.accounts.selectors import acting_user  # noqa: PLC0415
    from apps.assets.intake import take_in_many  # noqa: PLC0415
    from apps.releases.contents import PutChange  # noqa: PLC0415
    from apps.releases.models import Release  # noqa: PLC0415
    from apps.releases.selectors import live_publication  # noqa: PLC0415
    from apps.releases.services import drafts, holding, publishing, review  # noqa: PLC0415
    from tests.figures.seed import path_of  # noqa: PLC0415

    actor = acting_user(None)
    live = live_publication(channel)
    assert live
    spread = max(1, live.manifest.path_count // count)
    keep_what_is_replaced([n * spread for n in range(count)])
    sources = ((path_of(n * spread), [b"/* %d %d */" % (count, n)]) for n in range(count))
    label, contents, made = f"{count:,} changes", list[PutChange](), list[Release]()
    yield timed(f"{label}: upload", lambda: contents.extend(map(PutChange, take_in_many(sources))))
    draft: dict[str, Any] = {"title": label, "channel": channel, "changes": contents, "actor": actor}
    brief: dict[str, Any] = {"expected_result": "Figures.", "rollback_note": "Roll back."}
    yield timed(f"{label}: draft", lambda: made.append(drafts.create_release(**draft, **brief)))
    yield timed(f"{label}: submit (builds)", lambda: review.submit(release=made[0], actor=actor))
    yield timed(f"{label}: publish", lambda: publishing.publish(release=made[0], actor=actor))
    yield f"{label}: until the last worker serves it", until_served(made[0].pk), None
    back = {"channel": channel, "to": live.sequence, "reason": "figures", "actor": actor}
    yield timed(f"{label}: roll back", lambda: publishing.roll_back(**back))
    yield f"{label}: until the last worker serves what was before", until_served(live.release_id), None
    holding.resume(channel=channel, reason="figures", actor=actor)


def keep_what_is_replaced(numbers: list[int]) -> None:
    """Bring the contents of paths to storage that were written into the manifest without them."""
    from apps.assets.intake import take_in_many  # noqa: PLC0415
    from apps.assets.models import Blob  # noqa: PLC0415
    from tests.figures.seed import CONTENT, path_of  # noqa: PLC0415

    contents = take_in_many((path_of(number), [CONTENT % number]) for number in numbers)
    Blob.objects.bulk_create(
        [Blob(digest=each.digest, size_bytes=each.size_bytes) for each in contents],
        ignore_conflicts=True,
        batch_size=500,
    )


def until_served(number: int) -> float:
    """Return how many seconds it takes until every worker serves release `number`."""
    from tests.acceptance.site import Site  # noqa: PLC0415

    public, staff = map(int, sys.argv[1:3])
    return Site(Path(), public_port=public, staff_port=staff).wait_for_release(number)


def pages(channel) -> Iterator[dict[str, object]]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Load every page of releases and channels as an administrator; yield its time and its queries."""
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    from apps.accounts.selectors import acting_user  # noqa: PLC0415
    from tests.staff import staff_client  # noqa: PLC0415

    client = staff_client(acting_user(None))
    for name, address in addresses(channel):
        first = time.perf_counter()
        answer = client.get(address)
        first = time.perf_counter() - first
        assert answer.status_code == 200, (name, answer.status_code)
        rounds = [timed(name, lambda: client.get(address)) for _ in range(ROUNDS)]  # noqa: B023
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        yield {
            "page": name,
            "first": first,
            "median": statistics.median(seconds for _, seconds, _ in rounds),
            "busy": statistics.median(busy or 0 for _, _, busy in rounds),
            "queries": len(queries),
        }


def addresses(channel) -> Iterator[tuple[str, str]]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    from apps.accounts.selectors import acting_user  # noqa: PLC0415
    from apps.assets.intake import take_in_many  # noqa: PLC0415
    from apps.releases.contents import PutChange  # noqa: PLC0415
    from apps.releases.models import Release  # noqa: PLC0415
    from apps.releases.selectors import live_publication  # noqa: PLC0415
    from apps.releases.services import drafts  # noqa: PLC0415
    from tests.figures.seed import path_of  # noqa: PLC0415

    actor = acting_user(None)
    releases, channels = "/admin/releases/release/", "/admin/releases/channel/"
    live = live_publication(channel)
    assert live
    wide = Release.objects.get(title="10,000 changes").pk
    keep_what_is_replaced([n * 7 for n in range(5_000)])
    sources = ((path_of(n * 7), [b"/* draft %d */" % n]) for n in range(5_000))
    changes = [PutChange(content) for content in take_in_many(sources)]
    brief: dict[str, Any] = {"expected_result": "Figures.", "rollback_note": "Roll back."}
    draft = drafts.create_release(title="Open", channel=channel, changes=changes, actor=actor, **brief).pk
    yield "start", "/admin/"
    yield "list of releases", releases
    yield "list of releases, by state", f"{releases}?state__exact=draft"
    yield "list of releases, searched", f"{releases}?q=Small"
    yield "list of releases, last page", f"{releases}?p={Release.objects.count() // 50}"
    yield "release that was live", f"{releases}{wide}/change/"
    yield "release with 5,000 changes, a draft", f"{releases}{draft}/change/"
    yield "history of a release", f"{releases}{wide}/history/"
    yield "findings", f"{releases}{wide}/findings/"
    yield "list of channels", channels
    yield "channel", f"{channels}{channel.pk}/change/"
    yield "channel, oldest publications", f"{channels}{channel.pk}/change/?page=1000000"
    yield "history of a channel", f"{channels}{channel.pk}/history/"
    yield "roll back by 10,000 changes", f"{channels}{channel.pk}/roll-back/{live.sequence - 1}/"
    compare = f"{releases}compare/"
    yield "comparison by 10,000 changes", f"{compare}?old=production/{live.sequence - 1}&new=production"
    yield "comparison, only added", f"{compare}?old=production/{live.sequence - 1}&new=production&kind=added"
    yield "comparison of everything with nothing", f"{compare}?old=nothing&new=production"
    yield "comparison with a draft", f"{compare}?old=production&new={draft}"


def sizes(channel) -> dict[str, int]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    from apps.releases.models import Manifest  # noqa: PLC0415
    from apps.releases.selectors import live_publication  # noqa: PLC0415

    found = Manifest.objects.filter(releases__title="100 changes").first()
    live = live_publication(channel)
    return {
        "manifest of all paths": live.manifest.file_size_bytes if live else 0,
        "manifest of a release of 100 changes": found.file_size_bytes if found else 0,
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    django.setup()
    main()
