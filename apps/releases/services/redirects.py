from collections.abc import Callable, Iterable, Mapping
from itertools import batched

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.releases.contents import PutRedirect, RedirectInput, RemoveRedirect
from apps.releases.exceptions import InvalidRedirect, RedirectLoop, TooManyRedirects, UnknownRedirect
from apps.releases.manifest import Redirect
from apps.releases.models import Involvement, Manifest, RedirectChange, Release
from apps.releases.redirects.selectors import (
    base_redirects,
    redirects_of,
    served_by_draft,
    served_by_manifest,
)
from apps.releases.redirects.values import (
    MAX_REDIRECTS,
    USUAL_STATUS,
    RedirectFault,
    find_loop,
    parse_redirect,
    parse_source,
    typed_source,
)
from apps.releases.selectors import open_manifest
from apps.releases.services.involvements import note_involvement
from apps.releases.transitions import lock_content

_ROWS_AT_ONCE = 500


@transaction.atomic
def put_redirect(
    *, release: Release, source: str, target: str, status: int = USUAL_STATUS, actor: User
) -> Redirect:
    """Let `source` lead to `target` from this draft on, both as people type them; return the redirect.

    A redirect of the same source is replaced. Raises `Forbidden`, `ReleaseClosed`, `PromotedContent`,
    `InvalidRedirect`, `RedirectLoop`, `TooManyRedirects`.
    """
    require(actor, "releases.change_release", to=f"change release {release.pk}")
    lock_content(release)
    try:
        redirect = parse_redirect(source, target, status)
    except RedirectFault as fault:
        raise _invalid(fault, {"source": source, "target": target, "status": "The status"}) from fault
    write_redirects(release, [PutRedirect(redirect)], actor)
    _refuse_bad(redirects_of(release), served_by_draft(release))
    words = f"{typed_source(redirect.source)} → {redirect.target} ({redirect.status})"
    record(
        actor=actor,
        action="release.put_redirect",
        target=f"release {release.pk}",
        summary=f"Put the redirect {words} into release {release.pk}.",
        details={"source": redirect.source, "target": redirect.target, "status": redirect.status},
    )
    return redirect


@transaction.atomic
def remove_redirect(*, release: Release, source: str, actor: User) -> Release:
    """Let `source`, as people type it, lead nowhere from this draft on.

    Raises `Forbidden`, `ReleaseClosed`, `PromotedContent`, `InvalidRedirect`, `UnknownRedirect`.
    """
    require(actor, "releases.change_release", to=f"change release {release.pk}")
    lock_content(release)
    try:
        parsed = parse_source(source)
    except RedirectFault as fault:
        raise _invalid(fault, {"source": source}) from fault
    if parsed not in redirects_of(release):
        raise UnknownRedirect(
            f"Release {release.pk} has no redirect of {typed_source(parsed)}.",
            next_step="Its page lists those that it has.",
        )
    write_redirects(release, [RemoveRedirect(parsed)], actor)
    record(
        actor=actor,
        action="release.remove_redirect",
        target=f"release {release.pk}",
        summary=f"Removed the redirect of {typed_source(parsed)} with release {release.pk}.",
        details={"source": parsed},
    )
    return release


@transaction.atomic
def discard_redirect_change(*, change: RedirectChange, actor: User) -> Release:
    """Take the change of one redirect out of its draft.

    Raises `Forbidden`, `ReleaseClosed`, `PromotedContent`, and `RedirectLoop` where what it comes back to
    is part of one.
    """
    release = change.release
    require(actor, "releases.change_release", to=f"change release {release.pk}")
    lock_content(release)
    change.delete()
    note_involvement(release, actor, Involvement.Kind.CHANGED)
    _refuse_bad(redirects_of(release), served_by_draft(release))
    record(
        actor=actor,
        action="release.discard_redirect_change",
        target=f"release {release.pk}",
        summary=f"Took the change of the redirect {typed_source(change.source)} out of release {release.pk}.",
        details={"source": change.source},
    )
    return release


def write_redirects(release: Release, changes: Iterable[RedirectInput], actor: User) -> None:
    """Write changes of redirects into a locked draft, each in place of an earlier one of its source.

    What the base has already, or lacks already, is no change. Whether they are too many or go in
    circles is judged by who calls, and in any case when the release is submitted.
    """
    wanted = {change.source: change for change in changes}
    if not wanted:
        return
    before = base_redirects(release)
    rows = [_row(release, change, actor) for change in wanted.values()]
    for sources in batched(wanted, _ROWS_AT_ONCE):
        RedirectChange.objects.filter(release=release, source__in=sources).delete()
    RedirectChange.objects.bulk_create(
        [row for row in rows if row.redirect != before.get(row.source)], batch_size=_ROWS_AT_ONCE
    )
    note_involvement(release, actor, Involvement.Kind.CHANGED)
    Release.objects.filter(pk=release.pk).update(updated_at=timezone.now())


def refuse_bad_redirects(release: Release, manifest: Manifest) -> None:
    """Raise `TooManyRedirects` or `RedirectLoop` where what `release` was built to cannot go live."""
    reader = open_manifest(manifest)
    redirects = {redirect.source: redirect for redirect in reader.redirects()}
    _refuse_bad(redirects, served_by_manifest(reader, release.channel))


def _row(release: Release, change: RedirectInput, actor: User) -> RedirectChange:
    row = RedirectChange(release=release, source=change.source, author=actor, kind=RedirectChange.Kind.REMOVE)
    if isinstance(change, PutRedirect):
        row.kind = RedirectChange.Kind.PUT
        row.target, row.status = change.redirect.target, change.redirect.status
    return row


def _refuse_bad(redirects: Mapping[str, Redirect], is_served: Callable[[str], bool]) -> None:
    if len(redirects) > MAX_REDIRECTS:
        raise TooManyRedirects(
            f"These would be {len(redirects):,} redirects; {MAX_REDIRECTS:,} are the most of a release.",
            next_step="Put one with a wildcard, such as /old/*, in the place of many, or remove some.",
        )
    if chain := find_loop(redirects, is_served):
        raise RedirectLoop(
            f"Visitors would go in circles: {' → '.join(chain)}.",
            next_step="Let one of them lead to a page, or remove it.",
        )


def _invalid(fault: RedirectFault, typed: Mapping[str, str]) -> InvalidRedirect:
    name = typed[fault.field] or f"The {fault.field}"
    return InvalidRedirect(
        fault.field,
        f"{name} {fault}.",
        next_step="Write the source as /old or /old/*, the target as /new, /new/:splat or https://….",
    )
