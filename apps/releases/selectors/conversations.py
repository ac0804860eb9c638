from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from apps.audit.models import AuditEntry
from apps.releases.exceptions import UnknownComment
from apps.releases.models import Comment, Release, Settlement
from apps.releases.redirects.values import RedirectFault, parse_source, typed_source
from apps.releases.selectors.releases import entries_about


@dataclass(frozen=True, slots=True)
class Thread:
    """A comment with its answers, oldest first."""

    comment: Comment
    answers: Sequence[Comment]
    is_resolved: bool


@dataclass(frozen=True, slots=True)
class CommentCounts:
    """How many threads a release has, and how many of them nobody has settled."""

    threads: int
    open_threads: int


def conversation_of(release: Release) -> QuerySet[Comment]:
    """Return the comments that begin a thread, on the release and on its changes, oldest first.

    Each has `is_resolved`: the newest word on whether it is settled.
    """
    comments = release.comments.filter(answers=None).select_related("author")
    return comments.annotate(is_resolved=_is_resolved()).order_by("pk")


def threads_of(comments: Iterable[Comment]) -> list[Thread]:
    """Return comments of `conversation_of` with their answers: one query for all of them."""
    begun = list(comments)
    if not begun:
        return []
    answers: dict[int, list[Comment]] = {}
    given = Comment.objects.filter(answers__in=[comment.pk for comment in begun])
    for answer in given.select_related("author").order_by("pk"):
        answers.setdefault(answer.answers_id or 0, []).append(answer)
    return [
        Thread(comment, answers.get(comment.pk, []), is_resolved=vars(comment)["is_resolved"])
        for comment in begun
    ]


def threads_by_path(release: Release, paths: Iterable[str]) -> dict[str, list[Thread]]:
    """Return the threads on those changes, by path; without a path nothing is asked."""
    found: dict[str, list[Thread]] = {}
    for thread in threads_of(conversation_of(release).filter(path__in=list(paths)).exclude(path="")):
        found.setdefault(thread.comment.path, []).append(thread)
    return found


def comment_counts(release: Release) -> CommentCounts:
    """Count the threads of a release, and those that nobody has settled; one query."""
    begun = release.comments.filter(answers=None).annotate(is_resolved=_is_resolved())
    return CommentCounts(
        **begun.aggregate(threads=Count("pk"), open_threads=Count("pk", filter=~Q(is_resolved=True)))
    )


def open_threads(release: Release) -> int:
    """Count the threads of a release that nobody has settled."""
    return comment_counts(release).open_threads


def comment_numbered(release: Release, number: int) -> Comment:
    """Return a comment on `release`. Raises `UnknownComment`."""
    comment = release.comments.filter(pk=number).first()
    if comment is None:
        raise UnknownComment(
            f"Release {release.pk} has no comment {number}.",
            next_step=f"`scripts/manage release comments {release.pk}` lists them.",
        )
    return comment


def request_for_changes(release: Release) -> AuditEntry | None:
    """Return the entry of the request that brought `release` back to draft, or None.

    It stands until the release is submitted again, or leaves its draft otherwise.
    """
    if not release.is_editable:
        return None
    steps = ("release.submit", "release.request_changes", "release.reopen")
    last = entries_about(release).filter(action__in=steps).first()
    return last if last and last.action == "release.request_changes" else None


def changed_path(release: Release, typed: str) -> str | None:
    """Return a path that `release` changes as comments name it, or None where it does not change it.

    A redirect begins with the slash that people type, a file does not.
    """
    if not typed.startswith("/"):
        return typed if release.changes.filter(asset__path=typed).exists() else None
    try:
        source = parse_source(typed)
    except RedirectFault:
        return None
    return typed_source(source) if release.redirect_changes.filter(source=source).exists() else None


def _is_resolved() -> Coalesce:
    newest = Settlement.objects.filter(comment=OuterRef("pk")).order_by("-pk")
    return Coalesce(Subquery(newest.values("is_resolved")[:1]), Value(value=False))
