"""A bucket of S3, or of what speaks as S3 does, as Django's storage.

django-storages does the uploads. Added to it: a read is one request whose bytes are passed on as they
come, rather than two and a copy in memory; a read can be conditional; one client serves every thread
of a process; time limits that fit a node that has visitors waiting; and what goes wrong names the
bucket and the next step. docs/adr/0024 says why.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import IO, Any

from botocore import exceptions as botocore
from botocore.config import Config
from django.core.files import File
from storages.backends.s3 import S3Storage
from storages.utils import clean_name

from apps.assets.exceptions import StorageRefuses, StorageUnreachable

_MISSING = {"NoSuchKey", "404", "NotFound"}
_CONFIGURATION = Config(
    connect_timeout=3,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
)


class Bucket(S3Storage):  # type: ignore[misc]  # django-storages has no types
    """A bucket, or the part of one below a prefix.

    Raises `FileNotFoundError` for a name that it lacks, `StorageRefuses` or `StorageUnreachable` else.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.client_config: Any = self.client_config.merge(_CONFIGURATION)
        self._made = Lock()
        self._resource: Any = None
        self._process = 0

    @property
    def connection(self) -> Any:
        """The one resource of this process: making one takes a quarter of a second of the processor."""
        with self._made:
            if self._process != os.getpid():  # a connection that was made before a fork is two processes'
                session = self._create_session()
                self._resource = session.resource(
                    "s3",
                    region_name=self.region_name,
                    use_ssl=self.use_ssl,
                    endpoint_url=self.endpoint_url,
                    config=self.client_config,
                    verify=self.verify,
                )
                self._bucket = None
                self._process = os.getpid()
        return self._resource

    def read_unless(self, name: str, tag: str) -> tuple[bytes | None, str]:
        """Return the content of `name` and its entity tag; None for the content where that is `tag` still."""
        condition = {"IfNoneMatch": tag} if tag else {}
        try:
            with self._asking(name):
                found = self._client.get_object(**self._place(name), **condition)
                with found["Body"] as stream:
                    return stream.read(), found["ETag"]
        except _Unchanged:
            return None, tag

    def exists(self, name: str) -> bool:
        with self._asking(name):
            return bool(super().exists(name))

    def size(self, name: str) -> int:
        with self._asking(name):
            return int(super().size(name))

    def delete(self, name: str) -> None:
        with self._asking(name):
            super().delete(name)

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        with self._asking(name):
            folders, files = super().listdir(name)
        return folders, files

    def listed(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield name and size of each object below a folder: a request for each 1,000."""
        root = self._normalize_name("")
        with self._asking(folder):
            for found in self.bucket.objects.filter(Prefix=f"{self._normalize_name(clean_name(folder))}/"):
                yield found.key.removeprefix(root).lstrip("/"), found.size

    def _open(self, name: str, mode: str = "rb") -> "_Object":
        if mode != "rb":
            raise ValueError("a bucket's objects are written whole, by `save`")
        with self._asking(name):
            found = self._client.get_object(**self._place(name))
        return _Object(self, name, found["Body"], found["ContentLength"])

    def _save(self, name: str, content: Any) -> str:
        with self._asking(name):
            return str(super()._save(name, content))

    @property
    def _client(self) -> Any:
        return self.connection.meta.client

    def _place(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket_name, "Key": self._normalize_name(clean_name(name))}

    @contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        try:
            yield
        except botocore.ClientError as error:
            raise self._refusal(name, error) from error
        except (botocore.ConnectionError, botocore.HTTPClientError, botocore.IncompleteReadError) as error:
            raise self._unreachable(str(error)) from error
        except botocore.BotoCoreError as error:
            raise StorageRefuses(
                f"The bucket {self} cannot be asked for {name}: {error}",
                next_step="Correct STORAGE_URL, or what boto3 finds in this machine's environment.",
            ) from error

    def _refusal(self, name: str, error: botocore.ClientError) -> Exception:
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        code = error.response.get("Error", {}).get("Code", "")
        if status == 304:
            return _Unchanged()
        if code == "NoSuchBucket":
            return StorageRefuses(
                f"There is no bucket {self}.", next_step="Make it, or correct the bucket in STORAGE_URL."
            )
        if code in _MISSING:
            return FileNotFoundError(f"The bucket {self} has no {name}")
        if status >= 500 or code in {"SlowDown", "RequestTimeout"}:
            return self._unreachable(f"{code} ({status}).")
        return StorageRefuses(
            f"The bucket {self} refuses {name}: {code} ({status}).",
            next_step="Check key and secret in STORAGE_URL: they must be allowed to list, read and write.",
        )

    def _unreachable(self, words: str) -> StorageUnreachable:
        return StorageUnreachable(
            f"The bucket {self} does not answer: {words}",
            next_step="Check that its endpoint runs and that this machine reaches it. It is tried again.",
        )

    def __str__(self) -> str:
        return f"{self.bucket_name} at {self.endpoint_url or 'Amazon S3'}"


class _Unchanged(Exception):
    """An object still has the entity tag that it was asked for by."""


class _Object(File):  # type: ignore[type-arg]  # Django's has no parameter when it runs
    """What comes from a bucket, read as it comes."""

    def __init__(self, bucket: Bucket, name: str, stream: IO[bytes], size: int) -> None:
        super().__init__(stream, name)
        self.size = size
        self._bucket = bucket
        self._stream = stream

    def read(self, size: int | None = None, /) -> bytes:
        with self._bucket._asking(str(self.name)):
            return self._stream.read(size)  # type: ignore[arg-type]  # botocore's wants None for everything
