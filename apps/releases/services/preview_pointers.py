"""Pointers of previews: the small signed files from which delivery knows what a preview shows.

The database decides, storage follows: after the commit, and by `reconcile_previews` where that did not
happen. A row says `due` until its pointer is written and `gone` once it was removed.
"""

import logging
from functools import partial
from typing import Any

from django.db import transaction

from apps.assets import store
from apps.assets.exceptions import AssetRefusal
from apps.assets.listing import names_in
from apps.releases.history.signing import signed, verified
from apps.releases.models import Preview, Release
from apps.releases.selectors.previews import is_open, previews_to_settle

logger = logging.getLogger(__name__)
FORMAT = 1
FOLDER = "previews"
_PREVIEWS_AT_ONCE = 200


def pointer_name(key: str) -> str:
    """Return the name in storage of the pointer of the preview with this key."""
    return f"{FOLDER}/{key}.json"


def pointer_document(preview: Preview) -> dict[str, Any]:
    """Return the pointer of a preview that was built, without its signature."""
    manifest, channel = preview.manifest, preview.release.channel
    if manifest is None or preview.built_at is None:
        raise ValueError(f"{preview} was not built yet")
    return {
        "format": FORMAT,
        "preview": preview.key,
        "release": preview.release_id,
        "digest": manifest.digest,
        "manifest": {
            "name": manifest.file_name,
            "sha256": manifest.file_sha256,
            "size": manifest.file_size_bytes,
        },
        "is_of_draft": preview.is_of_draft,
        "built_at": int(preview.built_at.timestamp()),
        "expires_at": int(preview.expires_at.timestamp()),
        "has_banner": preview.has_banner,
        "password": preview.password,
        "options": {"clean_urls": channel.clean_urls, "not_found_page": channel.not_found_page},
    }


def settle_on_commit(preview: Preview) -> None:
    """Bring storage up to date with a preview once the transaction is committed; else it is tried again."""
    transaction.on_commit(partial(_settle_if_possible, preview.pk), robust=True)


def _settle_if_possible(number: int) -> None:
    try:
        settle(number)
    except (OSError, AssetRefusal) as error:
        logger.warning("The pointer of preview %d is not settled yet; it is tried again. %s", number, error)


def end_with(release: Release) -> None:
    """Let the previews of a release that was published or withdrawn end with this transaction."""
    for preview in release.previews.exclude(pointer=Preview.Pointer.GONE):
        settle_on_commit(preview)


@transaction.atomic
def settle(number: int) -> str:
    """Make storage say what the database says of the preview with this id; return what was done, in words.

    The row is locked meanwhile, so that of a writer and a remover the one that is right comes last.
    Raises `OSError` or `AssetRefusal` where storage refuses.
    """
    preview = Preview.objects.select_for_update(no_key=True).filter(pk=number).first()
    if preview is None or preview.pointer == Preview.Pointer.GONE:
        return ""
    name = pointer_name(preview.key)
    if not Preview.objects.filter(is_open(), pk=number).exists():
        store.remove(name)
        Preview.objects.filter(pk=number).update(pointer=Preview.Pointer.GONE)
        return f"A preview of release {preview.release_id} has ended."
    if preview.pointer != Preview.Pointer.DUE or preview.manifest_id is None:
        return ""
    store.replace(name, signed(pointer_document(preview), name=name))
    Preview.objects.filter(pk=number).update(pointer=Preview.Pointer.STORED)
    return f"A preview of release {preview.release_id} is there."


def reconcile_previews() -> list[str]:
    """Write and remove the pointers that lag behind the database; return a line for each that did."""
    lines = []
    for number in previews_to_settle().values_list("pk", flat=True)[:_PREVIEWS_AT_ONCE]:
        try:
            lines.append(settle(number))
        except (OSError, AssetRefusal):
            logger.exception("The pointer of preview %d could not be settled; it is tried again.", number)
    return list(filter(None, lines))


def reconcile_signatures() -> list[str]:
    """Let the pointers of previews be written again that nobody follows: their key is trusted no more."""
    stored = Preview.objects.filter(is_open(), pointer=Preview.Pointer.STORED)
    lost = [number for number, key in stored.values_list("pk", "key") if not _is_followed(pointer_name(key))]
    again = Preview.objects.filter(pk__in=lost, pointer=Preview.Pointer.STORED)
    count = again.update(pointer=Preview.Pointer.DUE)
    return (
        [f"{count} pointers of previews are signed again: they were lost, or their key was."] if count else []
    )


def _is_followed(name: str) -> bool:
    content = store.read(name)
    if content is None:
        return False
    try:
        verified(content, name=name)
    except ValueError:  # no JSON; a signature at fault is one as well
        return False
    return True


def sweep_previews() -> list[str]:
    """Remove pointers that belong to no open preview: what a restored database knows nothing of."""
    found = names_in(FOLDER)  # first: a row is there before its pointer
    known = set(Preview.objects.exclude(pointer=Preview.Pointer.GONE).values_list("key", flat=True))
    orphans = [name for name in found if name.removesuffix(".json") not in known]
    for name in orphans:
        store.remove(f"{FOLDER}/{name}")
    return [f"Removed {len(orphans)} pointers of previews that nobody knows."] if orphans else []
