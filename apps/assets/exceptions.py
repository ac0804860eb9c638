from apps.refusals import Refusal


class AssetRefusal(Refusal):
    code = "asset_refused"


class UnknownPath(AssetRefusal):
    """A path at which no release has ever had a file."""

    code = "unknown_path"


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
