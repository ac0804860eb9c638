from collections.abc import Collection
from dataclasses import dataclass
from itertools import batched

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.assets.selectors import path_begins_with
from apps.audit.services import record
from apps.releases.exceptions import CannotSplit
from apps.releases.models import Change, Involvement, Origin, RedirectChange, Release
from apps.releases.redirects.values import typed_source
from apps.releases.selectors import changes_of
from apps.releases.services.authorship import contribute
from apps.releases.services.drafts import BRIEF_FIELDS
from apps.releases.services.pins import pin_as
from apps.releases.transitions import lock_content, lock_with_channel

KINDS = ("added", "changed", "removed", "redirects")
_ROWS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which changes of a draft: those named (`css/site.css`, `/old`), or below a folder, or of a kind.

    What is left empty does not restrict; all that is given has to hold.
    """

    names: Collection[str] = ()
    below: str = ""
    kind: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.names or self.below or self.kind)


@transaction.atomic
def split(*, release: Release, selection: Selection, title: str, actor: User) -> Release:
    """Move the chosen changes of a draft to a new one on the same base; return that.

    Each change keeps its author. Combining the two undoes it. Raises `Forbidden`, `ReleaseClosed`,
    `PromotedContent`, and `CannotSplit` where nothing is chosen, or nothing would stay.
    """
    require(actor, "releases.change_release", to=f"split release {release.pk}")
    require(actor, "releases.add_release", to="make a release")
    release = lock_with_channel(release)
    lock_content(release)
    files, redirects = chosen_of(release, selection)
    _refuse_unknown(release, selection)
    _refuse_uneven(release, files, redirects)
    made = _begin(release, title, actor)
    paths = _move(release, made, files, redirects)
    _share_contributors(release, made, paths)
    Release.objects.filter(pk=release.pk).update(updated_at=timezone.now())
    Origin.objects.create(release=made, kind=Origin.Kind.SPLIT, source=release)
    record(
        actor=actor,
        action="release.split",
        target=f"release {made.pk}",
        summary=f"Split release {made.pk} from release {release.pk}: {len(paths)} changes.",
        details={"source": release.pk, "count": len(paths), "first": sorted(paths)[:50]},
    )
    return made


def chosen_of(release: Release, selection: Selection) -> tuple[QuerySet[Change], QuerySet[RedirectChange]]:
    """Return the changes of files, and of redirects, that a selection chooses."""
    files = changes_of(release, kind=selection.kind)
    redirects = release.redirect_changes.order_by("source")
    if selection.is_empty or selection.kind == "redirects":
        files = files.none()
    if selection.is_empty or selection.kind in KINDS[:3]:
        redirects = redirects.none()
    if selection.names:
        sources = [name for name in selection.names if name.startswith("/")]
        by_source = {typed_source(source): source for source in redirects.values_list("source", flat=True)}
        files = files.filter(asset__path__in=set(selection.names))
        redirects = redirects.filter(source__in=[by_source[name] for name in sources if name in by_source])
    if folder := selection.below.strip("/"):
        files = files.filter(path_begins_with(f"{folder}/", field="asset__path"))
        redirects = redirects.filter(path_begins_with(f"{folder}/", field="source"))
    return files, redirects


def _refuse_unknown(release: Release, selection: Selection) -> None:
    if not selection.names:
        return
    files, redirects = chosen_of(release, Selection(names=selection.names))
    found = set(files.values_list("asset__path", flat=True))
    found |= {typed_source(source) for source in redirects.values_list("source", flat=True)}
    if unknown := sorted(set(selection.names) - found):
        raise CannotSplit(
            f"Release {release.pk} does not change {', '.join(unknown[:20])}.",
            next_step="Its page lists what it changes.",
        )


def _refuse_uneven(release: Release, files: QuerySet[Change], redirects: QuerySet[RedirectChange]) -> None:
    chosen = files.count() + redirects.count()
    if not chosen:
        raise CannotSplit(
            f"No change of release {release.pk} is chosen.",
            next_step="Name paths, a folder, or a kind of change.",
        )
    if chosen == release.changes.count() + release.redirect_changes.count():
        raise CannotSplit(
            f"All changes of release {release.pk} are chosen, and none would stay.",
            next_step="Choose fewer, or give the release another title instead.",
        )


def _begin(release: Release, title: str, actor: User) -> Release:
    """Make an empty draft with the brief of `release`, for its owner."""
    brief = {name: getattr(release, name) for name in BRIEF_FIELDS}
    brief["title"] = (title.strip() or f"{release.title} (part)")[:200]
    made = Release.objects.create(
        channel=release.channel,
        base=release.base,
        base_manifest=release.base_manifest,
        created_by=actor,
        **brief,
    )
    pin_as(made, release)
    briefed = release.involvements.filter(kind=Involvement.Kind.BRIEFED)
    people = {release.created_by_id, *briefed.values_list("person_id", flat=True)}
    contribute(made, [("", person) for person in people])
    return made


def _move(
    release: Release, made: Release, files: QuerySet[Change], redirects: QuerySet[RedirectChange]
) -> set[str]:
    """Move the changes; return their labels."""
    labels: set[str] = set()
    chosen = list(files.values_list("pk", "asset__path"))
    for some in batched(chosen, _ROWS_AT_ONCE):
        Change.objects.filter(pk__in=[number for number, _ in some]).update(release=made)
        labels.update(path for _, path in some)
    moved = list(redirects.values_list("pk", "source"))
    RedirectChange.objects.filter(pk__in=[number for number, _ in moved]).update(release=made)
    return labels | {typed_source(source) for _, source in moved}


def _share_contributors(release: Release, made: Release, labels: set[str]) -> None:
    """Let whoever contributed to what was moved be a contributor there; to the whole, on both sides."""
    known = release.contributors.values_list("path", "person_id")
    contribute(made, [(path, person) for path, person in known if not path or path in labels])
    for some in batched(labels, _ROWS_AT_ONCE):
        release.contributors.filter(path__in=some).delete()
