"""Whether what storage says of previews is what was written (reads)."""

from collections.abc import Iterator
from typing import Any

from apps.assets import store
from apps.assets.listing import names_in
from apps.releases.history.signing import verified
from apps.releases.history.verification import HistoryFault, file_faults
from apps.releases.models import Preview
from apps.releases.selectors.previews import is_open
from apps.releases.services.preview_pointers import FOLDER, pointer_document, pointer_name

# As they were when the pointer was written: the options of the channel, and which file of the manifest.
_OF_ITS_TIME = {"options", "manifest"}


def preview_faults(*, with_files: bool = True) -> Iterator[HistoryFault]:
    """Yield every fault of the pointers of previews, and of the manifests that they name."""
    stored = Preview.objects.filter(is_open(), pointer=Preview.Pointer.STORED)
    for preview in stored.select_related("manifest", "release__channel").order_by("pk").iterator():
        name = pointer_name(preview.key)
        for message in _faults_of(preview, name, with_files=with_files):
            yield HistoryFault(f"Pointer {name}, of a preview of release {preview.release_id}", message)
    found = names_in(FOLDER)  # first: a row is there before its pointer
    known = set(Preview.objects.exclude(pointer=Preview.Pointer.GONE).values_list("key", flat=True))
    for name in found:
        if name.removesuffix(".json") not in known:
            yield HistoryFault(f"Pointer {FOLDER}/{name}", "it is of no preview, or of one that has ended")


def _faults_of(preview: Preview, name: str, *, with_files: bool) -> Iterator[str]:
    content = store.read(name)
    if content is None:
        yield "it is missing from storage"
        return
    try:
        said = verified(content, name=name)
    except ValueError as fault:
        yield str(fault) or "it cannot be read"
        return
    wanted = pointer_document(preview)
    if other := [key for key in wanted if key not in _OF_ITS_TIME and wanted[key] != said.get(key)]:
        yield f"it does not say what the database says of {', '.join(other)}"
    if with_files:
        manifest: dict[str, Any] = said["manifest"]
        digest = str(said["digest"])
        for message in file_faults(manifest["name"], manifest["sha256"], digest=digest):
            yield f"of its manifest {manifest['name']}, {message}"
