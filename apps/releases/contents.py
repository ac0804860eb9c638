"""What goes into a release, as values that travel between parts."""

from dataclasses import dataclass

from apps.assets.intake import Content


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
