"""Which addresses answer otherwise after a publication: exactly those that caches have to forget.

Fingerprinted names that come or go are left out, ours and those that a bundler made: what such a name
answers never changes, and one that is gone is answered for as long as it is kept. So are pages of 404,
which caches keep for seconds.
"""

from collections.abc import Iterable, Iterator

from apps.caching.matching import is_fingerprinted
from apps.releases.channels.expected_answers import INDEX, PAGE, Addresses, answer_at, url_of
from apps.releases.manifest import Difference, Entry, ManifestReader, diff, diff_redirects
from apps.releases.manifest.names import fingerprinted_name
from apps.releases.redirects.values import is_wildcard


def changed_urls(
    old: ManifestReader | None, new: ManifestReader | None, addresses: Addresses
) -> Iterator[str]:
    """Yield the addresses that answer otherwise from `new` than from `old`, each once, as they are sent.

    None stands for an empty manifest. `/old/*` stands for everything below `/old/`, where a redirect for
    all of that changed. Only what the manifests differ in is looked at.
    """
    comparison = _Comparison(old, new, addresses)
    for difference in diff(old, new):
        yield from comparison.of_path(difference)
    for moved in diff_redirects(old, new):
        if is_wildcard(moved.source):
            yield url_of(moved.source)
        else:
            yield from comparison.of_addresses([moved.source])


class _Comparison:
    """Two manifests, and the addresses beside paths of files that were named already."""

    def __init__(self, old: ManifestReader | None, new: ManifestReader | None, addresses: Addresses) -> None:
        self._old, self._new, self._addresses = old, new, addresses
        self._named: set[str] = set()

    def of_path(self, difference: Difference) -> Iterator[str]:
        """Yield the addresses of a path that differs, those with another form of its name last."""
        path = difference.path
        is_new_or_gone = difference.old is None or difference.new is None
        is_kept = difference.new is None and is_fingerprinted(path)
        if not is_kept and ((is_new_or_gone and not self._addresses.clean_urls) or self._differs(path)):
            yield url_of(path)
        yield from self.of_addresses(_other_forms(path, clean_urls=self._addresses.clean_urls))
        yield from self._name_with_other_headers(difference)

    def of_addresses(self, paths: Iterable[str]) -> Iterator[str]:
        """Yield those that answer otherwise and are not named yet, nor by the file of that very path."""
        for path in paths:
            if path not in self._named and not self._is_of_a_file_that_differs(path) and self._differs(path):
                self._named.add(path)
                yield url_of(path)

    def _differs(self, path: str) -> bool:
        before = answer_at(self._old, path, self._addresses)
        return before != answer_at(self._new, path, self._addresses)

    def _is_of_a_file_that_differs(self, path: str) -> bool:
        return _row(self._old, path) != _row(self._new, path)

    def _name_with_other_headers(self, difference: Difference) -> Iterator[str]:
        """Yield the fingerprinted name of a content that stays, where its headers do not."""
        old, new = difference.old, difference.new
        if not (old and new and old.fingerprint and old.fingerprint == new.fingerprint):
            return
        if _headers_under_name(self._old, old) != _headers_under_name(self._new, new):
            yield url_of(fingerprinted_name(new.path, new.fingerprint))


def _other_forms(path: str, *, clean_urls: bool) -> list[str]:
    """Return the other paths whose answer hangs on whether there is a file at `path`, and on which."""
    forms: list[str] = []
    if path == INDEX or path.endswith(f"/{INDEX}"):
        folder = path.removesuffix(INDEX)
        forms += [folder, folder[:-1]] if folder else [folder]
    if clean_urls and path.endswith(PAGE):
        forms += [path.removesuffix(PAGE), path.removesuffix(PAGE) + "/"]
    if clean_urls:
        forms.append(path + PAGE)  # a page whose address without its ending is this path
    return forms


def _headers_under_name(reader: ManifestReader | None, entry: Entry) -> str:
    return reader.header_sets[entry.named_header_set].digest if reader else ""


def _row(reader: ManifestReader | None, path: str) -> tuple[object, ...]:
    """Return the canonical row of a path, as the difference of two manifests sees it."""
    return (reader.canonical_row(path) if reader else None) or ()
