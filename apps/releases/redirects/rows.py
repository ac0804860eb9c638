"""The redirects that a release changes, ready to be shown: old beside new, and what stands in their way."""

from collections.abc import Iterable
from dataclasses import dataclass

from apps.releases.comparing.impact import SIGNS
from apps.releases.comparing.texts import visible
from apps.releases.manifest import Redirect
from apps.releases.models import RedirectChange, Release
from apps.releases.redirects.selectors import base_redirects, served_by_draft
from apps.releases.redirects.values import is_wildcard, typed_source


@dataclass(frozen=True, slots=True)
class RedirectRow:
    """One change of a redirect. `is_shadowed` says that a file answers at its source, which wins."""

    change: RedirectChange
    kind: str
    old: Redirect | None
    new: Redirect | None
    is_shadowed: bool

    @property
    def typed(self) -> str:
        """The source as commands and forms name it, whatever is in it."""
        return typed_source(self.change.source)

    @property
    def source(self) -> str:
        return visible(typed_source(self.change.source))

    @property
    def sign(self) -> str:
        return SIGNS[self.kind]


def redirect_rows_of(release: Release, changes: Iterable[RedirectChange]) -> list[RedirectRow]:
    """Return the rows of changes of redirects of `release`."""
    changes = list(changes)
    plain = (change.source for change in changes if not is_wildcard(change.source))
    before, is_served = base_redirects(release), served_by_draft(release, plain)
    rows = []
    for change in changes:
        old, new = before.get(change.source), change.redirect
        kind = "removed" if new is None else "changed" if old else "added"
        is_shadowed = bool(new and not is_wildcard(change.source) and is_served(change.source))
        rows.append(RedirectRow(change, kind, old, new, is_shadowed))
    return rows
