"""Blobs that connections wait for: each is compared or fetched once for all of them, off the event loop."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from apps.assets import store
from apps.delivery.files import FileFault, LocalFiles
from apps.delivery.resource import BlobPart

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 20.0  # of who waits; what is fetched for longer is there for who asks again
_COMPARING_THREADS = 2
_FETCHING_THREADS = 8


class Bringing:
    """Brings blobs to where they can be sent from.

    What lies on this machine does not wait for what storage is asked for, which may hang.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, files: LocalFiles) -> None:
        self._loop = loop
        self._files = files
        self._comparing = ThreadPoolExecutor(_COMPARING_THREADS, "assetsite-comparing")
        self._fetching = ThreadPoolExecutor(_FETCHING_THREADS, "assetsite-fetching")
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def bring(self, blob: BlobPart) -> asyncio.Task[None]:
        """Return what ends when the blob is here, or fails with an `OSError` after 20 s at the latest."""
        return self._loop.create_task(self._wait_for(blob))

    def close(self) -> None:
        """Begin with no further blob."""
        for pool in (self._comparing, self._fetching):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _wait_for(self, blob: BlobPart) -> None:
        under_way = self._under_way.get(blob.digest)
        if under_way is None:
            under_way = self._under_way[blob.digest] = self._loop.create_task(self._bring(blob))
            under_way.add_done_callback(_see)
        done, _ = await asyncio.wait([under_way], timeout=PATIENCE_SECONDS)
        if not done:
            fault = FileFault(f"blob {blob.digest} has been fetched for {PATIENCE_SECONDS:.0f} s")
            logger.warning("%s; who waits for it is sent away.", fault)
            raise fault
        under_way.result()

    async def _bring(self, blob: BlobPart) -> None:
        name = store.blob_name(blob.digest)
        try:
            if not await self._loop.run_in_executor(self._comparing, self._is_here, name, blob):
                await self._loop.run_in_executor(self._fetching, self._fetch, name, blob)
        finally:
            del self._under_way[blob.digest]

    def _is_here(self, name: str, blob: BlobPart) -> bool:
        return self._files.is_here(name, sha256=blob.digest, size=blob.size)

    def _fetch(self, name: str, blob: BlobPart) -> None:
        self._files.fetch(name, sha256=blob.digest, size=blob.size)


def _see(done: asyncio.Task[None]) -> None:
    """Look at how it ended, where nobody waits for it any more."""
    if not done.cancelled():
        done.exception()
