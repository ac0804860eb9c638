"""Pointers: the small files in storage that say what each channel serves.

The database decides, the pointer follows: it is written after the commit, and by `reconcile` where
that did not happen (a crash, a full disk). Delivery reads nothing but storage.
"""

import logging
from typing import Any

from django.db import transaction

from apps.assets import store
from apps.assets.exceptions import AssetRefusal
from apps.assets.room import refusing_full
from apps.releases.history.signatures import signer_of
from apps.releases.history.signing import signed, signing_key, verified
from apps.releases.models import Channel, ManifestFile, Publication, RetainedNames
from apps.releases.selectors import first_published_at, live_publication
from apps.releases.services.receipts import note_pointer
from apps.releases.services.retention import gather_names

logger = logging.getLogger(__name__)
FORMAT = 1


def pointer_name(channel: Channel) -> str:
    """Return the name of a channel's pointer in storage."""
    return f"channels/{channel.name}.json"


def pointer_document(publication: Publication) -> dict[str, Any]:
    """Return the pointer to a publication, without its signature; the same while nothing changes.

    That is: while its channel has the same options, and keeps the same names of earlier publications.

    `released_at` is when the release first went live on the channel, in seconds since 1970: its
    contents' Last-Modified, also after a roll back.
    """
    manifest, channel = publication.manifest, publication.channel
    retained = RetainedNames.objects.filter(channel=channel).first()
    released_at = first_published_at(publication.release) or publication.published_at
    return {
        "format": FORMAT,
        "channel": channel.name,
        "sequence": publication.sequence,
        "kind": publication.kind,
        "release": publication.release_id,
        "digest": manifest.digest,
        "manifest": _file_of(manifest),
        "retained": _file_of(retained) if retained and retained.path_count else None,
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


def write_pointer(channel: Channel) -> bool:
    """Make storage say what the database says of `channel`; return whether that took a write.

    The names of earlier publications that go on answering are gathered before, so that the switch takes
    none away. Raises `OSError` or `AssetRefusal` where storage refuses; `reconcile` tries again.
    """
    live = live_publication(channel)
    if live is None:
        return False
    _gather_names(live)
    return not is_current(live) and _write(live)


def follow_with_pointer(channel: Channel) -> None:
    """Write the pointer of `channel` after a commit; where storage refuses, say so: it is tried again."""
    try:
        write_pointer(channel)
    except (OSError, AssetRefusal) as error:
        words = "Visitors of %s get what was published once storage takes it. %s"
        logger.error(words, channel, error)  # noqa: TRY400 - what storage said is enough


def sign_pointers_anew() -> list[str]:
    """Sign every pointer with the key that is used now; return the names of the channels that needed it.

    Until then nodes follow what was signed with an earlier key, while they trust it.
    """
    lives = filter(None, map(live_publication, Channel.objects.all()))
    return [live.channel.name for live in lives if not _is_signed_now(live) and _write(live, is_anew=True)]


@transaction.atomic
def _write(live: Publication, *, is_anew: bool = False) -> bool:
    """Write the pointer to `live`, unless that is not live any more: who has published since writes theirs.

    The channel is locked meanwhile: of two writers the later one writes what is newest, so neither a
    pointer nor its options go back.
    """
    channel = Channel.objects.select_for_update(no_key=True).get(pk=live.channel_id)
    now = live_publication(channel)
    if now is None or now != live or (is_current(now) and not is_anew):
        return False
    name = pointer_name(channel)
    store.replace(name, signed(pointer_document(now), name=name))
    note_pointer(now)
    return True


def _gather_names(live: Publication) -> None:
    """Gather the names that are kept; where that fails, what is published goes live all the same."""
    try:
        with refusing_full(store.temporary_folder()):
            gather_names(live)
    except (OSError, AssetRefusal) as error:
        logger.warning("%s keeps the names that it kept before; it is tried again. %s", live.channel, error)
    except Exception:  # a storage raises its client library's own, and no roll back may wait for this
        logger.exception("%s keeps the names that it kept before; it is tried again.", live.channel)


def is_current(live: Publication) -> bool:
    """Say whether storage points at `live`, in words that nodes believe, so that visitors get it."""
    name = pointer_name(live.channel)
    content = store.read(name)
    try:
        return content is not None and verified(content, name=name) == pointer_document(live)
    except ValueError:
        return False


def reconcile() -> list[str]:
    """Write every pointer that lags behind the database; return a line for each that did."""
    lines = []
    for channel in Channel.objects.all():
        try:
            if write_pointer(channel) and (live := live_publication(channel)):
                lines.append(f"The pointer of {channel} now names publication {live.sequence} ({live.tag}).")
        except (OSError, AssetRefusal):
            logger.exception("The pointer of %s could not be written; it is tried again.", channel)
    return lines


def _is_signed_now(live: Publication) -> bool:
    content = store.read(pointer_name(live.channel))
    return content is not None and is_current(live) and signer_of(content) == signing_key().public.id


def _file_of(manifest: ManifestFile) -> dict[str, str | int]:
    return {
        "name": manifest.file_name,
        "sha256": manifest.file_sha256,
        "size": manifest.file_size_bytes,
    }
