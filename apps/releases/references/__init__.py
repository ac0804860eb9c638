"""References between the files of a site: found, fingerprinted, and written anew.

Pure Python: no Django and no network. `extraction` finds what a page, style sheet or script refers to;
`fingerprints` names every file by what it and all that it refers to consist of; `rewriting` puts those
names in place, changing nothing else, and `source_maps` keeps the maps right. `plan` puts it together:
what a change means for every file that depends on it. See docs/fingerprints.md.
"""

from apps.releases.references.extraction import Kind, kind_of
from apps.releases.references.fingerprints import VERSION
from apps.releases.references.following import Site
from apps.releases.references.plan import Made, Plan

__all__ = ["VERSION", "Kind", "Made", "Plan", "Site", "kind_of"]
