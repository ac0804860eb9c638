"""Previews: a draft or a candidate on a host of its own, for a while, for whoever has the link."""

import secrets
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.passwords import refuse_weak
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.jobs.services import enqueue
from apps.releases.exceptions import PreviewOver, TooManyPreviews, WrongExpiry, WrongState
from apps.releases.models import Preview, Release
from apps.releases.previews.hosts import KEY_BYTES
from apps.releases.selectors.previews import STATES_WITHOUT_PREVIEWS, open_previews_of
from apps.releases.services.building import build
from apps.releases.services.preview_pointers import settle_on_commit
from apps.releases.transitions import State

USUAL_EXPIRY = timedelta(days=7)
SHORTEST_EXPIRY = timedelta(minutes=1)
LONGEST_EXPIRY = timedelta(days=90)
MOST_OPEN = 20  # of one release
BUILD_JOB = "releases.build_preview"
_MOST_CHANGES_AT_ONCE = 1_000
_MOST_PATHS_AT_ONCE = 100_000


@transaction.atomic
def open_preview(
    *,
    release: Release,
    actor: User,
    expiry: timedelta = USUAL_EXPIRY,
    password: str = "",
    has_banner: bool = False,
) -> Preview:
    """Make a preview of a release that was not published; return it.

    Of a candidate it shows the manifest that is in review, of a draft what it holds now: where that takes
    long to build, a job does it and the preview has no manifest before. `password` is kept hashed.
    Raises `Forbidden`, `WrongState`, `WrongExpiry`, `WeakPassword`, `TooManyPreviews`.
    """
    require(actor, "releases.add_preview", to=f"make a preview of release {release.pk}")
    release = _locked(release)
    _refuse_over(release)
    _refuse_expiry(expiry)
    _refuse_many(release)
    preview = _make(release, actor, expiry, has_banner=has_banner, password=_hashed(password))
    if preview.is_of_draft:
        _build(preview, release)
    until = f"until {timezone.localtime(preview.expires_at):%Y-%m-%d %H:%M %Z}"
    record(
        actor=actor,
        action="preview.open",
        target=f"release {release.pk}",
        summary=f"Made a preview of release {release.pk} {'with a password, ' if password else ''}{until}.",
        details=_as_details(preview),
    )
    settle_on_commit(preview)
    return preview


def open_for_review(release: Release, actor: User) -> Preview:
    """Make the preview that reviewers find at once; called where `actor` submits the release.

    The entry of the submission is its record. Storage gets it after the commit.
    """
    preview = _make(release, actor, USUAL_EXPIRY, has_banner=False, password="")
    settle_on_commit(preview)
    return preview


@transaction.atomic
def refresh_preview(*, preview: Preview, actor: User) -> Preview:
    """Let a preview of a draft show what the draft holds now, under the same address.

    Raises `Forbidden`, `PreviewOver`, and `WrongState` where the release is no draft any more.
    """
    require(actor, "releases.add_preview", to=f"refresh a preview of release {preview.release_id}")
    release = _locked(preview.release)
    preview = _locked_preview(preview)
    if not preview.is_of_draft or release.state != State.DRAFT:
        raise WrongState(
            f"Release {release.pk} is {release.get_state_display()}: this preview stays as it is.",
            next_step="Make another preview; it shows what is in review.",
        )
    _build(preview, release)
    record(
        actor=actor,
        action="preview.refresh",
        target=f"release {release.pk}",
        summary=f"Built a preview of release {release.pk} again.",
        details=_as_details(preview),
    )
    settle_on_commit(preview)
    return preview


@transaction.atomic
def revoke_preview(*, preview: Preview, actor: User) -> Preview:
    """End a preview now, for everybody and for good. Raises `Forbidden`, `PreviewOver`.

    Who may make previews may revoke their own; those of others take a permission of its own.
    """
    needed = "add_preview" if preview.created_by_id == actor.pk else "revoke_preview"
    require(actor, f"releases.{needed}", to=f"revoke this preview of release {preview.release_id}")
    preview = _locked_preview(preview)
    Preview.objects.filter(pk=preview.pk).update(revoked_at=timezone.now(), revoked_by=actor)
    preview.refresh_from_db()
    record(
        actor=actor,
        action="preview.revoke",
        target=f"release {preview.release_id}",
        summary=f"Revoked a preview of release {preview.release_id}.",
        details=_as_details(preview),
    )
    settle_on_commit(preview)
    return preview


@transaction.atomic
def build_preview(number: int) -> bool:
    """Build what the draft holds now for the preview with this id; return whether it still waits for that."""
    preview = Preview.objects.select_related("release").filter(pk=number).first()
    if preview is None or preview.pointer == Preview.Pointer.GONE or preview.revoked_at is not None:
        return False
    release = _locked(preview.release)
    if release.state != State.DRAFT and preview.manifest_id is not None:
        return False  # it was handed in meanwhile: what the preview shows stays
    _build_now(preview, release)
    settle_on_commit(preview)
    return True


def _make(release: Release, actor: User, expiry: timedelta, *, has_banner: bool, password: str) -> Preview:
    now = timezone.now()
    is_of_draft = release.state == State.DRAFT
    return Preview.objects.create(
        release=release,
        manifest=None if is_of_draft else release.manifest,
        key=secrets.token_hex(KEY_BYTES),
        is_of_draft=is_of_draft,
        built_at=None if is_of_draft else now,
        expires_at=(now + expiry).replace(microsecond=0),  # its host says it in seconds
        has_banner=has_banner,
        password=password,
        created_by=actor,
    )


def _build(preview: Preview, release: Release) -> None:
    """Build at once what is small; leave to a job what would keep a person, and other writers, waiting."""
    paths = release.base_manifest.path_count if release.base_manifest else 0
    if paths > _MOST_PATHS_AT_ONCE or _change_count(release) > _MOST_CHANGES_AT_ONCE:
        key = f"{BUILD_JOB}:{preview.pk}:{timezone.now().timestamp()}"
        enqueue(kind=BUILD_JOB, key=key, payload={"preview": preview.pk})
    else:
        _build_now(preview, release)


def _build_now(preview: Preview, release: Release) -> None:
    built_at = timezone.now()
    manifest = build(release)
    Preview.objects.filter(pk=preview.pk).update(
        manifest=manifest,
        built_at=built_at,
        change_count=_change_count(release),
        pointer=Preview.Pointer.DUE,
    )
    preview.refresh_from_db()


def _change_count(release: Release) -> int:
    return release.changes.count() + release.redirect_changes.count()


def _locked(release: Release) -> Release:
    return (
        Release.objects.select_for_update(of=("self",), no_key=True)
        .select_related("channel", "manifest", "base_manifest", "base")
        .get(pk=release.pk)
    )


def _locked_preview(preview: Preview) -> Preview:
    """Lock a preview and return it as it is now. Raises `PreviewOver` where it has ended."""
    locked = Preview.objects.select_for_update(no_key=True).get(pk=preview.pk)
    if not open_previews_of(locked.release).filter(pk=locked.pk).exists():
        raise PreviewOver(
            f"This preview of release {locked.release_id} has ended already.",
            next_step="Make another one where one is needed.",
        )
    return locked


def _hashed(password: str) -> str:
    """Return what is kept of a password, "" of none. Raises `WeakPassword`."""
    if not password:
        return ""
    refuse_weak(password)
    return make_password(password, hasher="scrypt")


def _refuse_over(release: Release) -> None:
    if release.state in STATES_WITHOUT_PREVIEWS:
        where = {
            State.PUBLISHED: "Look at it where it is live.",
            State.SUPERSEDED: "It was live before; roll its channel back to serve it again.",
            State.WITHDRAWN: "Make a new release instead.",
        }
        raise WrongState(
            f"Release {release.pk} is {release.get_state_display()}: there is nothing to preview.",
            next_step=where[State(release.state)],
        )


def _refuse_expiry(expiry: timedelta) -> None:
    if not SHORTEST_EXPIRY <= expiry <= LONGEST_EXPIRY:
        raise WrongExpiry(
            "A preview lasts from one minute to 90 days.", next_step="Choose a time such as 12h or 7d."
        )


def _refuse_many(release: Release) -> None:
    if open_previews_of(release).count() >= MOST_OPEN:
        raise TooManyPreviews(
            f"Release {release.pk} has {MOST_OPEN} previews already.",
            next_step="Revoke those that nobody needs any more.",
        )


def _as_details(preview: Preview) -> dict[str, object]:
    """Describe a preview without what opens it: neither its key nor its password."""
    return {
        "preview": preview.pk,
        "digest": preview.manifest_id,
        "is_of_draft": preview.is_of_draft,
        "expires_at": preview.expires_at.isoformat(),
        "has_banner": preview.has_banner,
        "has_password": bool(preview.password),
    }
