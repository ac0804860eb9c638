"""What goes into a release, as values that travel between parts."""

from dataclasses import dataclass

from apps.assets.intake import Content
from apps.releases.manifest import Redirect


@dataclass(frozen=True, slots=True)
class PutChange:
    """The path gets this content."""

    content: Content

    @property
    def path(self) -> str:
        return self.content.path


@dataclass(frozen=True, slots=True)
class RemoveChange:
    """The path is no longer served."""

    path: str


type ChangeInput = PutChange | RemoveChange


@dataclass(frozen=True, slots=True)
class PutRedirect:
    """The source of this redirect leads to its target, where it is not served."""

    redirect: Redirect

    @property
    def source(self) -> str:
        return self.redirect.source


@dataclass(frozen=True, slots=True)
class RemoveRedirect:
    """The source leads nowhere any more."""

    source: str


type RedirectInput = PutRedirect | RemoveRedirect
