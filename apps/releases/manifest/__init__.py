"""The manifest: one read-only SQLite file that holds, for every path of a release, what is served.

Pure Python: no Django and no network. `format` says what the file looks like and how its digest is
taken, `reader` looks things up, `writer` builds, `diff` compares,
`path_index` looks up quicker in large ones. See docs/manifest.md.
"""

from apps.releases.manifest.diff import Difference, RedirectDifference, diff, diff_redirects
from apps.releases.manifest.format import Entry, Finding, ManifestFault, Redirect, Representation
from apps.releases.manifest.pair import Reach, Wanted
from apps.releases.manifest.path_index import PathIndex
from apps.releases.manifest.reader import ManifestReader, ServedRow
from apps.releases.manifest.writer import ManifestWriter

__all__ = [
    "Difference",
    "Entry",
    "Finding",
    "ManifestFault",
    "ManifestReader",
    "ManifestWriter",
    "PathIndex",
    "Reach",
    "Redirect",
    "RedirectDifference",
    "Representation",
    "ServedRow",
    "Wanted",
    "diff",
    "diff_redirects",
]
