"""CloudFront: CreateInvalidation by boto3.

Read: docs.aws.amazon.com, CloudFront, API reference, CreateInvalidation and CacheTagConfig; Developer Guide,
"Invalidating content by cache tags".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import is_valid_uri

from apps.caching.purging.contract import BY_KEYS, PurgeFailed, TryLater, Word, sorted_out

_LATER = frozenset(
    {"TooManyInvalidationsInProgress", "Throttling", "ThrottlingException", "ServiceUnavailable"}
)


def is_endpoint(text: str) -> bool:
    """Say whether boto3 can ask there."""
    if not text.startswith(("http://", "https://")):
        return False
    try:
        return bool(is_valid_uri(text))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class CloudFront:
    """A distribution, which knows paths and no hosts. 3000 paths may be in progress at once.

    Without a key of its own it takes the credentials that boto3 finds. Surrogate keys are tags here, `#key`
    among the paths, in whatever case; the distribution's CacheTagConfig has to name Cache-Tag.
    """

    distribution: str
    endpoint: str | None = None
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    batch_size: int = 3_000
    tells_keys: bool = False

    @property
    def name(self) -> str:
        return f"CloudFront {self.distribution}{BY_KEYS if self.tells_keys else ''}"

    def purge(self, words: Sequence[Word], *, reference: str) -> None:
        keys, addresses = sorted_out(words)
        tags = (f"#{key.lower()}" for key in keys)
        paths = list(dict.fromkeys([*tags, *(address.path for address in addresses)]))
        batch = {"Paths": {"Quantity": len(paths), "Items": paths}, "CallerReference": reference}
        try:
            self._client().create_invalidation(DistributionId=self.distribution, InvalidationBatch=batch)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            said = f"{self.name} answered with {status} {code}"
            raise (TryLater if code in _LATER or status >= 500 else PurgeFailed)(said) from error
        except BotoCoreError as error:
            raise TryLater(f"{self.name} was not reached: {type(error).__name__}") from error

    def _client(self) -> Any:
        return boto3.client(
            "cloudfront",
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=30),
        )
