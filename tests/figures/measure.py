"""Take releases of a large site through their life, and load its pages; print what each took, as JSON."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django


def main() -> None:
    from apps.releases.selectors import channel_named, live_publication  # noqa: PLC0415 - it is set up now
    from tests.figures.pages import pages  # noqa: PLC0415

    channel = channel_named("production")
    live = live_publication(channel)
    assert live
    wait_for_index()
    # The first question about its state is what a worker loads Django for; visitors' files need none of it.
    until_served(live.release_id)
    steps = [*life(channel, 100), *life(channel, 10_000), *rebases(channel), *proofs(channel)]
    print(json.dumps({"steps": steps, "pages": list(pages(channel)), "sizes": sizes(channel)}))


type Step = tuple[str, float, float | None]


def wait_for_index() -> None:
    """Wait until the site has the path index of what it serves: a new one is busy making it."""
    until = time.monotonic() + 120
    while not any(Path(os.environ["DATA_DIR"]).rglob("*.index")) and time.monotonic() < until:
        time.sleep(0.2)


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


def rebases(channel) -> Iterator[Step]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Let a channel move under three drafts and rebase two of them; one stays behind, with conflicts."""
    from apps.accounts.selectors import acting_user  # noqa: PLC0415
    from apps.releases.models import Release  # noqa: PLC0415
    from apps.releases.services import publishing, rebasing, review  # noqa: PLC0415

    actor = acting_user(None)
    made = [drafted(channel, count, offset) for count, offset in ((100, 3), (10_000, 5))]
    drafted(channel, 10_000, 7, title="Behind")
    meanwhile = drafted(channel, 100, 7, title="Meanwhile")
    review.submit(release=meanwhile, actor=actor)
    publishing.publish(release=meanwhile, actor=actor)
    for count, release in zip((100, 10_000), made, strict=False):
        behind = Release.objects.get(pk=release.pk)
        yield timed(
            f"{count:,} changes: rebase",
            lambda: rebasing.rebase(release=behind, actor=actor),  # noqa: B023
        )


def drafted(channel, count: int, offset: int, title: str = "Rebased"):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return a draft of `count` changes, scattered over the site from path number `offset` on."""
    from apps.accounts.selectors import acting_user  # noqa: PLC0415
    from apps.assets.intake import take_in_many  # noqa: PLC0415
    from apps.releases.contents import PutChange  # noqa: PLC0415
    from apps.releases.selectors import live_publication  # noqa: PLC0415
    from apps.releases.services import drafts  # noqa: PLC0415
    from tests.figures.seed import path_of  # noqa: PLC0415

    live = live_publication(channel)
    assert live
    numbers = [offset + n * (live.manifest.path_count // 10_000) for n in range(count)]
    keep_what_is_replaced(numbers)
    sources = ((path_of(number), [b"/* %s %d */" % (title.encode(), number)]) for number in numbers)
    changes = [PutChange(content) for content in take_in_many(sources)]
    brief: dict[str, Any] = {"expected_result": "Figures.", "rollback_note": "Roll back."}
    return drafts.create_release(
        title=title, channel=channel, changes=changes, actor=acting_user(None), **brief
    )


def proofs(channel) -> Iterator[Step]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Verify all that was published, trace an address, and export one publication, as the commands do."""
    from django.core.management import call_command  # noqa: PLC0415

    from apps.releases.selectors import live_publication  # noqa: PLC0415
    from apps.releases.tracing.traces import Question, trace  # noqa: PLC0415
    from tests.figures.seed import path_of  # noqa: PLC0415

    def call(*words: str) -> None:
        with Path(os.devnull).open("w") as nowhere:
            call_command("release", *words, stdout=nowhere)

    live = live_publication(channel)
    assert live
    yield timed("`release verify`, without manifests", lambda: call("verify", "--no-files"))
    yield timed("`release verify`, each manifest read whole", lambda: call("verify"))
    yield timed("trace of an address", lambda: trace(Question("/" + path_of(4711))))
    yield timed("trace of an address, again", lambda: trace(Question("/" + path_of(4712))))
    with tempfile.TemporaryDirectory() as folder:
        yield timed(
            "`release export` of what is live", lambda: call("export", live.tag, "--to", f"{folder}/e")
        )


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
