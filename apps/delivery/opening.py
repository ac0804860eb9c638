"""From the words of a pointer to what is served: signatures, digests, and open manifests."""

from apps.delivery.files import current_files
from apps.delivery.pointer import BrokenPointer, Pointer, StoredManifest
from apps.delivery.release import LiveRelease
from apps.releases.history.signatures import SignatureFault
from apps.releases.history.signing import verified
from apps.releases.manifest import ManifestFault, ManifestReader


def pointer_name(channel: str) -> str:
    """Return the name of a channel's pointer in storage."""
    return f"channels/{channel}.json"


def refuse_unsigned(channel: str, words: bytes) -> None:
    """Raise `BrokenPointer` unless somebody who is trusted has signed this for the channel."""
    try:
        verified(words, name=pointer_name(channel))
    except SignatureFault as fault:
        raise BrokenPointer(
            f"{fault}. Who wrote it is not known: see the runbook, A signature that is not trusted"
        ) from fault
    except ValueError as error:
        raise BrokenPointer(f"it is not a pointer: {error!r}") from error


def open_live(pointer: Pointer) -> LiveRelease:
    """Open the manifest that a pointer names. Raises `OSError` or `ManifestFault` where it is another."""
    reader = open_manifest(pointer.manifest)
    if reader.meta.get("digest") != pointer.digest:
        reader.close()
        raise ManifestFault(f"{pointer.manifest.name} is not the manifest {pointer.digest}")
    return LiveRelease(
        channel=pointer.channel,
        sequence=pointer.sequence,
        number=pointer.release,
        digest=pointer.digest,
        tag=pointer.tag,
        released_at=pointer.released_at,
        published_at=pointer.published_at,
        reader=reader,
        options=pointer.options,
    )


def open_manifest(stored: StoredManifest) -> ManifestReader:
    """Open a manifest's file, brought here and compared first. Raises `OSError` or `ManifestFault`."""
    file = current_files().bring_manifest(stored.name, sha256=stored.sha256, size=stored.size)
    return ManifestReader(file, is_mapped=False)
