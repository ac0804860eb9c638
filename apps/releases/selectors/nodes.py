import logging
from datetime import datetime

from django.utils import timezone

from apps.assets import store
from apps.assets.disk import in_parallel
from apps.releases.channels.node_status import (
    FOLDER,
    BrokenStatus,
    Following,
    NodeStatus,
    following_of,
    parse,
)
from apps.releases.models import Publication

logger = logging.getLogger(__name__)


def node_statuses() -> list[NodeStatus]:
    """Return what each delivery node says of itself. Raises what the storage raises."""
    found: list[NodeStatus] = []

    def read(name: str) -> None:
        content = store.read(name)
        try:
            if content is not None:
                found.append(parse(content))
        except BrokenStatus as fault:
            logger.warning("%s is passed over: %s", name, fault)

    in_parallel(read, status_names())
    return found


def status_names() -> list[str]:
    """Return the names in storage of what the nodes say. Raises what the storage raises."""
    try:
        _, files = store.storage().listdir(FOLDER)
    except FileNotFoundError:
        return []
    return [f"{FOLDER}/{file}" for file in sorted(files) if file.endswith(".json")]


def nodes_following(publication: Publication, *, now: datetime | None = None) -> Following:
    """Return which delivery nodes serve a publication or a later one. Raises what the storage raises."""
    return following_of(
        node_statuses(), publication.channel.name, publication.sequence, now=now or timezone.now()
    )
