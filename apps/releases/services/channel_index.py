"""The index: the small file in storage that says which channel each host has (docs/delivery.md).

As with pointers, the database decides and the file follows: it is written after the commit, and by the
reconciler where that did not happen. It says all of it at once, so a host that moves from one channel to
another is with the one or with the other.
"""

import logging
from typing import Any

from django.db import transaction

from apps.assets import store
from apps.assets.exceptions import AssetRefusal
from apps.releases.channels.hosts import INDEX_FORMAT, INDEX_NAME
from apps.releases.history.signatures import signer_of
from apps.releases.history.signing import signed, signing_key, verified
from apps.releases.models import Channel, ChannelHost

logger = logging.getLogger(__name__)


def index_document() -> dict[str, Any]:
    """Return the index, without its signature: hosts by name, each with its channel."""
    hosts = ChannelHost.objects.order_by("host").values_list("host", "channel__name")
    return {"format": INDEX_FORMAT, "hosts": dict(hosts)}


def write_index(*, is_anew: bool = False) -> bool:
    """Make storage say which hosts there are; return whether that took a write.

    A site whose hosts were never written down has no index, and is served as its environment says. Raises
    `OSError` or `AssetRefusal` where storage refuses; the reconciler tries again.
    """
    content = store.read(INDEX_NAME)
    if _is_current(content) and not (is_anew and _is_signed_before(content)):
        return False
    return _write()


def reconcile_index() -> list[str]:
    """Write the index where it lags behind the database; return a line where it did."""
    try:
        return ["The index of hosts is as the channels have them."] if write_index() else []
    except (OSError, AssetRefusal):
        logger.exception("The index of hosts could not be written; it is tried again.")
        return []


@transaction.atomic
def _write() -> bool:
    """Write the index. Whoever writes has locked every channel: the later one writes what is newest."""
    list(Channel.objects.select_for_update(no_key=True).order_by("pk"))
    store.replace(INDEX_NAME, signed(index_document(), name=INDEX_NAME))
    return True


def _is_current(content: bytes | None) -> bool:
    if content is None:
        return not ChannelHost.objects.exists()
    try:
        return verified(content, name=INDEX_NAME) == index_document()
    except ValueError:
        return False


def _is_signed_before(content: bytes | None) -> bool:
    return content is not None and signer_of(content) != signing_key().public.id
