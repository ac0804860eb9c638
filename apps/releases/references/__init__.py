"""References between the files of a site: found, fingerprinted, and written anew.

Pure Python: no Django and no network. `extraction` finds what a page, style sheet or script refers to;
`fingerprints` names every file by what it and all that it refers to consist of; `rewriting` puts those
names in place, changing nothing else, and `source_maps` keeps the maps right. See docs/fingerprints.md.
"""

from apps.releases.references.extraction import Kind, critical_of, extract, kind_of
from apps.releases.references.fingerprints import Node, fingerprints
from apps.releases.references.found import Extraction, Finding
from apps.releases.references.links import link_header
from apps.releases.references.rewriting import (
    INSERTED_CHARACTERS,
    insertions,
    integrity_of,
    is_integrity_of,
    rewritten,
)
from apps.releases.references.source_maps import MapFault, columns, shifted

__all__ = [
    "INSERTED_CHARACTERS",
    "Extraction",
    "Finding",
    "Kind",
    "MapFault",
    "Node",
    "columns",
    "critical_of",
    "extract",
    "fingerprints",
    "insertions",
    "integrity_of",
    "is_integrity_of",
    "kind_of",
    "link_header",
    "rewritten",
    "shifted",
]
