from collections.abc import Sequence

from apps.refusals import Refusal


class AssetRefusal(Refusal):
    code = "asset_refused"


class UnknownPath(AssetRefusal):
    """A path at which no release has ever had a file."""

    code = "unknown_path"

    @classmethod
    def at(cls, path: str, *, near: Sequence[str] = (), others: int = 0) -> "UnknownPath":
        """Return what is said of a path, with those that look like it, and how many `others` there are."""
        more = f" (and {others:,} more)" if others else ""
        written = "Write paths as the list of assets has them, without a leading slash: css/site.css."
        return cls(
            f"No release has ever had a file at {path!r}{more}.",
            next_step=f"Near it: {', '.join(near)}." if near else written,
        )


class WrongReason(AssetRefusal):
    """Words that say why, and that no database would keep."""

    code = "wrong_reason"


class UnknownTagging(AssetRefusal):
    code = "unknown_tagging"


class TaggedSince(AssetRefusal):
    """An act that cannot be taken back, since a later one has changed the same tags of the same files."""

    code = "tagged_since"


class WrongTag(AssetRefusal):
    """A tag that cannot be given, or not to these files."""

    code = "wrong_tag"


class BlobDamaged(AssetRefusal):
    """What lies in storage under a digest is something else."""

    code = "blob_damaged"


class StorageFull(AssetRefusal):
    """The folder of the storage takes no more bytes: a full disk, a quota, a limit on a file's size."""

    code = "storage_full"


class StorageNotWritable(AssetRefusal):
    """The folder of the storage may not be written to."""

    code = "storage_not_writable"


class StorageRefuses(AssetRefusal):
    """A storage on another machine answers, and does not let this one do what it asks for."""

    code = "storage_refuses"


class StorageUnreachable(AssetRefusal):
    """A storage on another machine does not answer, or not in time."""

    code = "storage_unreachable"
