from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.releases.exceptions import CommentMissing, UnknownChange
from apps.releases.models import Comment, Release, Settlement
from apps.releases.selectors import changed_path, comment_numbered

MAX_COMMENT_CHARACTERS = 5_000
_SHORT = 80


@transaction.atomic
def comment(*, release: Release, text: str, actor: User, path: str = "") -> Comment:
    """Say something of a release, in whatever state it is; with `path`, of one file or redirect it changes.

    A redirect is named with a slash before it, as people type it. Raises `Forbidden`, `CommentMissing`,
    `UnknownChange`.
    """
    require(actor, "releases.add_comment", to=f"comment on release {release.pk}")
    changed = changed_path(release, path) if path else ""
    if changed is None:
        raise UnknownChange(
            f"Release {release.pk} does not change {path}.",
            next_step="Name a path as its page lists it, or comment on the release as a whole.",
        )
    said = say(release, actor, text, path=changed)
    _record(release, actor, said, "comment", f"Commented on {changed or f'release {release.pk}'}")
    return said


@transaction.atomic
def answer(*, release: Release, to: int, text: str, actor: User) -> Comment:
    """Answer a comment on `release`, or the thread that it belongs to.

    Raises `Forbidden`, `UnknownComment`, `CommentMissing`.
    """
    require(actor, "releases.add_comment", to=f"comment on release {release.pk}")
    asked = comment_numbered(release, to)
    said = say(release, actor, text, answers=asked.answers or asked)
    _record(release, actor, said, "answer", f"Answered comment {said.answers_id} on release {release.pk}")
    return said


@transaction.atomic
def resolve(*, release: Release, number: int, actor: User, is_resolved: bool = True) -> Comment:
    """Settle a comment with its answers, or open it again. What is so already is no entry in the log.

    Raises `Forbidden`, `UnknownComment`.
    """
    require(actor, "releases.add_comment", to=f"settle comments on release {release.pk}")
    found = comment_numbered(release, number)
    found = Comment.objects.select_for_update(no_key=True).get(pk=(found.answers or found).pk)
    newest = found.settlements.order_by("-pk").first()
    if is_resolved == bool(newest and newest.is_resolved):
        return found
    Settlement.objects.create(comment=found, is_resolved=is_resolved, actor=actor)
    done = "Settled" if is_resolved else "Opened again"
    _record(release, actor, found, "resolve" if is_resolved else "unresolve", f"{done} comment {found.pk}")
    return found


def say(
    release: Release,
    author: User,
    text: str,
    kind: Comment.Kind = Comment.Kind.REMARK,
    *,
    path: str = "",
    answers: Comment | None = None,
) -> Comment:
    """Append a comment, in the caller's transaction and under the caller's audit entry.

    Raises `CommentMissing` where it says nothing, or too much.
    """
    text = text.replace("\r\n", "\n").strip()
    if not 0 < len(text) <= MAX_COMMENT_CHARACTERS:
        raise CommentMissing(
            f"A comment has from 1 to {MAX_COMMENT_CHARACTERS:,} characters; this one has {len(text):,}.",
            next_step="Say it in a few words, with a link to what is longer.",
        )
    return Comment.objects.create(
        release=release, author=author, kind=kind, path=path, answers=answers, text=text
    )


def _record(release: Release, actor: User, said: Comment, action: str, words: str) -> None:
    first = said.text.splitlines()[0]
    short = first if len(first) <= _SHORT else f"{first[: _SHORT - 1]}…"
    record(
        actor=actor,
        action=f"release.{action}",
        target=f"release {release.pk}",
        summary=f"{words}: “{short}”",
        details={"comment": said.pk, **({"path": said.path} if said.path else {})},
    )
