"""WhiteNoise over the folder that PEER_FOLDER names, in front of an application that knows nothing else."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from whitenoise import WhiteNoise


def _not_found(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("404 Not Found", [("Content-Length", "0")])
    return []


app = WhiteNoise(_not_found, root=os.environ["PEER_FOLDER"], index_file=True, max_age=3600)
