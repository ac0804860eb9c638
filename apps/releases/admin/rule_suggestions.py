"""What the form of a cache rule suggests: values of files that are live, and tags. Rules know of no files."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from apps.assets.selectors import some_tags
from apps.caching.admin.known_values import KnownValues, register_known_values
from apps.releases.exceptions import ManifestMissing
from apps.releases.files import manifest_file_here
from apps.releases.selectors.channels import live_publications
from apps.releases.selectors.manifests import open_file

_SUGGESTED = 24
_ADDRESSES = 100
_LOOKED_AT = 2_000  # files of a channel
_CHANNELS = 3
_LONGEST = 200
_DEEPEST = 3  # folders in one another

type _Counts = dict[str, Counter[str]]


def suggested() -> KnownValues:
    """Return what most of the files have that were looked at, the most frequent first. Two queries."""
    found: _Counts = {name: Counter() for name in ("folders", "extensions", "media_types", "addresses")}
    for publication in live_publications()[:_CHANNELS]:
        if file := manifest_file_here(publication.manifest):
            for name, counted in _counted(file).items():
                found[name].update(counted)
    most = {name: _most(counted) for name, counted in found.items() if name != "addresses"}
    return KnownValues(
        **most, tags=tuple(some_tags(_SUGGESTED)), addresses=tuple(found["addresses"])[:_ADDRESSES]
    )


@lru_cache(maxsize=16)
def _counted(file: Path) -> _Counts:
    """Count what the files of a manifest have: of all, or of some that lie spread over a large one."""
    try:
        files = open_file(file).spread(_LOOKED_AT)
    except ManifestMissing:
        return {}
    return {
        "folders": Counter(_sayable(folder for path, _ in files for folder in _folders_of(path))),
        "extensions": Counter(_sayable(PurePosixPath(path).suffix.lower()[1:] for path, _ in files)),
        "media_types": Counter(media_type.partition(";")[0] for _, media_type in files),
        "addresses": Counter(_address(path) for path, _ in files[:: max(len(files) // _ADDRESSES, 1)]),
    }


def _most(counted: Counter[str]) -> tuple[str, ...]:
    in_order = sorted(counted.items(), key=lambda value: (-value[1], value[0]))
    return tuple(name for name, _ in in_order[:_SUGGESTED])


def _sayable(values: Iterable[str]) -> Iterator[str]:
    """Yield the values that a rule may ask for."""
    return (value for value in values if 0 < len(value) <= _LONGEST and value.isprintable())


def _folders_of(path: str) -> Iterator[str]:
    folders = path.split("/")[:-1]
    return ("/".join(folders[:depth]) for depth in range(1, min(len(folders), _DEEPEST) + 1))


def _address(path: str) -> str:
    is_index = path == "index.html" or path.endswith("/index.html")
    return "/" + quote(path.removesuffix("index.html") if is_index else path)


register_known_values(suggested)
