"""Under which surrogate keys a cache holds an answer. Pure."""

import re
from functools import lru_cache

from apps.caching.rules import HeaderSet

SURROGATE_KEY = re.compile(r"[A-Za-z0-9._:/-]{1,128}")


@lru_cache(maxsize=1024)
def keys_of(header_set: HeaderSet) -> tuple[str, ...]:
    """Return the keys under which every cache holds an answer with these headers, in their order.

    Those are the ones that both Surrogate-Key (separated by spaces) and Cache-Tag (by commas) name. A rule
    that writes one of the two itself has none for the caches that read the other.
    """
    headers = dict(header_set.headers)
    tags = {tag.strip() for tag in headers.get("cache-tag", "").split(",")}
    keys = dict.fromkeys(headers.get("surrogate-key", "").split())
    return tuple(key for key in keys if key in tags and SURROGATE_KEY.fullmatch(key))
