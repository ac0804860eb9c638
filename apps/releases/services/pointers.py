"""Pointers: the small files in storage that say what each channel serves.

The database decides, the pointer follows: it is written after the commit, and by `reconcile` where
that did not happen (a crash, a full disk). Delivery reads nothing but storage.
"""

import json
import logging

from django.db import transaction

from apps.assets import store
from apps.assets.exceptions import AssetRefusal
from apps.releases.models import Channel, Publication
from apps.releases.selectors import first_published_at, live_publication

logger = logging.getLogger(__name__)
FORMAT = 1


def pointer_name(channel: Channel) -> str:
    """Return the name of a channel's pointer in storage."""
    return f"channels/{channel.name}.json"


def pointer_content(publication: Publication) -> bytes:
    """Return the pointer to a publication: UTF-8 JSON, the same bytes while its channel has these options.

    `released_at` is when the release first went live on the channel, in seconds since 1970: its
    contents' Last-Modified, also after a roll back.
    """
    manifest, channel = publication.manifest, publication.channel
    released_at = first_published_at(publication.release) or publication.published_at
    content = {
        "format": FORMAT,
        "channel": channel.name,
        "sequence": publication.sequence,
        "kind": publication.kind,
        "release": publication.release_id,
        "digest": manifest.digest,
        "manifest": {
            "name": manifest.file_name,
            "sha256": manifest.file_sha256,
            "size": manifest.file_size_bytes,
        },
        "tag": publication.tag,
        "published_at": publication.published_at.isoformat(),
        "released_at": int(released_at.timestamp()),
        "options": {
            "clean_urls": channel.clean_urls,
            "not_found_page": channel.not_found_page,
            "names_release": channel.names_release,
            "early_hints": channel.early_hints,
        },
    }
    return json.dumps(content, indent=2).encode() + b"\n"


@transaction.atomic
def write_pointer(channel: Channel) -> bool:
    """Make storage say what the database says of `channel`; return whether that took a write.

    The channel is locked meanwhile: of two writers the later one writes what is newest, so neither a
    pointer nor its options go back. Raises `OSError` or `AssetRefusal` where storage refuses;
    `reconcile` tries again.
    """
    channel = Channel.objects.select_for_update().get(pk=channel.pk)
    live = live_publication(channel)
    if live is None or is_current(live):
        return False
    store.replace(pointer_name(channel), pointer_content(live))
    return True


def is_current(live: Publication) -> bool:
    """Say whether storage points at `live`, so that visitors get it."""
    return store.read(pointer_name(live.channel)) == pointer_content(live)


def reconcile() -> list[str]:
    """Write every pointer that lags behind the database; return a line for each that did."""
    lines = []
    for channel in Channel.objects.all():
        live = live_publication(channel)
        try:
            if live and not is_current(live) and write_pointer(channel):
                lines.append(f"The pointer of {channel} now names publication {live.sequence} ({live.tag}).")
        except (OSError, AssetRefusal):
            logger.exception("The pointer of %s could not be written; it is tried again.", channel)
    return lines
