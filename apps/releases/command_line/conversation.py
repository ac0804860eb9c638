from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.models import Comment
from apps.releases.review.reports import ThreadReport, thread_report
from apps.releases.selectors import conversation_of, release_numbered, threads_of
from apps.releases.services import conversation


class ConversationSubcommands(ReleaseSubcommands):
    """Say what there is to say of a release, and settle it."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        comment = self.with_number(add("comment", self.comment, help="comment on a release or on a change"))
        comment.add_argument("--text", required=True)
        about = comment.add_mutually_exclusive_group()
        about.add_argument(
            "--path", default="", help="a file that it changes, or a redirect, with the slash before it"
        )
        about.add_argument("--answer", type=int, metavar="COMMENT", help="the comment that this answers")
        comments = self.with_number(add("comments", self.comments, help="show what was said of a release"))
        comments.add_argument("--open", action="store_true", help="only what is not settled")
        resolve = self.with_number(add("resolve", self.resolve, help="settle a comment with its answers"))
        resolve.add_argument("comment", type=int, metavar="COMMENT")
        resolve.add_argument("--undo", action="store_true", help="open it again")
        super().add_subcommands(add)

    def comment(self, *, number: int, text: str, path: str, answer: int | None, **options: Any) -> object:
        release, actor = release_numbered(number), self.actor(options)
        if answer is None:
            said = conversation.comment(release=release, text=text, path=path, actor=actor)
        else:
            said = conversation.answer(release=release, to=answer, text=text, actor=actor)
        self.say(f"Comment {said.pk} is on {path or f'release {number}'}.")
        return self._threads(number)

    def comments(self, *, number: int, open: bool, **options: Any) -> object:  # noqa: A002 - the option's name
        reports = [report for report in self._threads(number) if not (open and report["is_resolved"])]
        for report in reports:
            settled = ", settled" if report["is_resolved"] else ""
            about = f" of {report['path']}" if report["path"] else ""
            words = Comment.Kind(report["kind"]).label
            self.say(f"{report['comment']:>5}  {report['author']} {words}{about}{settled}")
            for line in (report["text"], *(f"{a['author']}: {a['text']}" for a in report["answers"])):
                self.say("".join(f"       {row}\n" for row in line.splitlines()).rstrip("\n"))
        if not reports:
            self.say("Nobody has said anything." if not open else "Nothing is open.")
        return reports

    def resolve(self, *, number: int, comment: int, undo: bool, **options: Any) -> object:
        found = conversation.resolve(
            release=release_numbered(number),
            number=comment,
            actor=self.actor(options),
            is_resolved=not undo,
        )
        self.say(f"Comment {found.pk} is {'open again' if undo else 'settled'}.")
        return self._threads(number)

    def _threads(self, number: int) -> list[ThreadReport]:
        threads = threads_of(conversation_of(release_numbered(number)))
        return [thread_report(thread) for thread in threads]
