from apps.refusals import Refusal


class AssetRefusal(Refusal):
    code = "asset_refused"


class BlobDamaged(AssetRefusal):
    code = "blob_damaged"
