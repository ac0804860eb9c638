"""Under which surrogate keys caches hold what an address answered before a publication."""

from urllib.parse import unquote

from apps.caching.surrogate_keys import keys_of
from apps.releases.channels.expected_answers import Addresses, answer_at
from apps.releases.manifest import ManifestReader


def keys_before(old: ManifestReader | None, url: str, addresses: Addresses) -> tuple[str, ...]:
    """Return the keys of the answer to `url` (as it is sent) from `old`; none where no file answered.

    `/old/*` has none, whatever a file of that name had: it stands for every address below `/old/`.
    """
    if url.endswith("/*"):
        return ()
    served = answer_at(old, unquote(url)[1:], addresses).served
    return keys_of(served.header_set) if served else ()
