"""Fill an empty site: a channel with so many paths and publications, and so many releases.

What is large is written at once, past the services, as nobody would wait for a million uploads: the
manifest of all paths, and drafts. Every publication is a real one.
"""

import hashlib
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import django

CONTENT = b"/* %d */"


def main(paths: int, releases: int, publications: int) -> None:
    from apps.releases.models import Release  # noqa: PLC0415 - Django is set up by now
    from apps.releases.selectors import channel_named  # noqa: PLC0415
    from apps.releases.services import channels, drafts  # noqa: PLC0415
    from assetsite.launch.preparation import prepare  # noqa: PLC0415

    administrator = prepare(lambda _: None)
    channel = channel_named("production")
    channels.set_required_approvals(channel=channel, count=0, actor=administrator)
    for number in range(publications):
        _publish_small(channel, administrator, number)
    _publish_large(channel, administrator, paths)
    rest = releases - Release.objects.count()
    template = drafts.create_release(title="Template", channel=channel, changes=[], actor=administrator)
    Release.objects.bulk_create(
        [
            Release(
                title=f"Draft {number}",
                channel=channel,
                base=template.base,
                base_manifest=template.base_manifest,
                created_by=administrator,
                owner=administrator,
            )
            for number in range(rest)
        ],
        batch_size=500,
    )


def _publish_small(channel, actor, number: int) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    from apps.assets.intake import take_in  # noqa: PLC0415
    from apps.releases.contents import PutChange  # noqa: PLC0415
    from apps.releases.services import drafts, publishing, review  # noqa: PLC0415

    change = PutChange(take_in([CONTENT % number], path="small.css"))
    brief: dict[str, Any] = {"expected_result": "Figures.", "rollback_note": "Roll back."}
    release = drafts.create_release(
        title=f"Small {number}", channel=channel, changes=[change], actor=actor, **brief
    )
    review.submit(release=release, actor=actor)
    publishing.publish(release=release, actor=actor)


def _publish_large(channel, actor, paths: int) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    from apps.releases.services import review  # noqa: PLC0415

    with mock.patch.object(review, "build", lambda release: _manifest(release, paths)):
        _publish_small(channel, actor, -1)


def _manifest(release, paths: int):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    from apps.assets import store  # noqa: PLC0415
    from apps.caching.headers import HeaderCompiler  # noqa: PLC0415
    from apps.caching.selectors import as_rules  # noqa: PLC0415
    from apps.releases.files import put_manifest_file  # noqa: PLC0415
    from apps.releases.manifest import ManifestWriter  # noqa: PLC0415
    from apps.releases.models import Manifest  # noqa: PLC0415

    compiler = HeaderCompiler(as_rules(list(release.rules.all())))
    with store.temporary_file() as file:
        with ManifestWriter(file) as writer:
            for number in range(paths):
                path = path_of(number)
                writer.put(
                    path,
                    blob=hashlib.sha256(CONTENT % number).hexdigest(),
                    size=len(CONTENT % number),
                    media_type="text/css",
                    header_set=compiler.header_set(path, "text/css", 10),
                    release=release.pk,
                )
            digest = writer.finish(rules_digest=compiler.digest)
        return Manifest.objects.create(
            digest=digest, path_count=paths, **put_manifest_file(file, digest=digest)
        )


def path_of(number: int) -> str:
    """Return the path of a file of the large site: a few hundred a folder."""
    return f"assets/{number // 500:04}/{number:07}.css"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    django.setup()
    main(*map(int, sys.argv[1:4]))
