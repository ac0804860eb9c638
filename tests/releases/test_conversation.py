"""What people say of a release and of its changes: kept, answered, settled, and never lost."""

from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.releases.exceptions import CommentMissing, ReasonMissing, UnknownChange, UnknownComment, WrongState
from apps.releases.models import Comment, Release, Settlement
from apps.releases.selectors import conversation_of, open_threads, request_for_changes, threads_of
from apps.releases.services import conversation, review
from apps.releases.services.redirects import put_redirect
from tests.releases.conftest import MakeRelease, put
from tests.releases.test_admin_releases import page, take
from tests.releases.test_commands import Capture, refused, run
from tests.staff import staff_client

State = Release.State


def test_a_comment_is_on_the_release_or_on_one_of_its_changes(
    spring: Release, editor: User, manager: User
) -> None:
    conversation.comment(release=spring, text=" Is blue\r\nours? ", path="css/site.css", actor=manager)
    conversation.comment(release=spring, text="It is.", actor=editor)

    said = [(one.author, one.path, one.text) for one in conversation_of(spring)]
    assert said == [(manager, "css/site.css", "Is blue\nours?"), (editor, "", "It is.")]
    entries = AuditEntry.objects.filter(action="release.comment").order_by("sequence")
    assert [entry.summary for entry in entries] == [
        "Commented on css/site.css: “Is blue”",
        f"Commented on release {spring.pk}: “It is.”",
    ]


def test_a_redirect_is_commented_on_by_the_name_that_people_type(spring: Release, editor: User) -> None:
    put_redirect(release=spring, source="/año/*", target="/new", actor=editor)
    assert (
        conversation.comment(release=spring, text="All?", path="/a%C3%B1o/*", actor=editor).path == "/año/*"
    )
    with pytest.raises(UnknownChange, match="does not change /other"):
        conversation.comment(release=spring, text="This?", path="/other", actor=editor)
    with pytest.raises(UnknownChange):
        conversation.comment(release=spring, text="This?", path="/\x00", actor=editor)


def test_what_a_release_does_not_change_is_not_commented_on(spring: Release, editor: User) -> None:
    with pytest.raises(UnknownChange, match=r"does not change index\.html"):
        conversation.comment(release=spring, text="This?", path="index.html", actor=editor)


@pytest.mark.parametrize("text", ["", " \n ", "x" * 5001])
def test_a_comment_says_something_that_somebody_reads(spring: Release, editor: User, text: str) -> None:
    with pytest.raises(CommentMissing, match="from 1 to 5,000"):
        conversation.comment(release=spring, text=text, actor=editor)


def test_who_only_looks_does_not_comment(spring: Release, viewer: User, editor: User) -> None:
    said = conversation.comment(release=spring, text="Hm.", actor=editor)
    acts: tuple[Callable[[], object], ...] = (
        lambda: conversation.comment(release=spring, text="Hm.", actor=viewer),
        lambda: conversation.answer(release=spring, to=said.pk, text="Hm.", actor=viewer),
        lambda: conversation.resolve(release=spring, number=said.pk, actor=viewer),
    )
    for act in acts:
        with pytest.raises(Forbidden, match="vera may not"):
            act()


def test_an_answer_to_an_answer_belongs_to_the_same_thread(
    spring: Release, editor: User, manager: User
) -> None:
    asked = conversation.comment(release=spring, text="Why?", path="js/old.js", actor=manager)
    first = conversation.answer(release=spring, to=asked.pk, text="Nobody loads it.", actor=editor)
    conversation.answer(release=spring, to=first.pk, text="Right.", actor=manager)

    [thread] = threads_of(conversation_of(spring))
    assert [answer.text for answer in thread.answers] == ["Nobody loads it.", "Right."]
    with pytest.raises(UnknownComment, match="has no comment 999"):
        conversation.answer(release=spring, to=999, text="?", actor=editor)


def test_an_answer_stays_within_its_release(spring: Release, make_release: MakeRelease, editor: User) -> None:
    other = conversation.comment(release=make_release(put("a", "a")), text="Hm.", actor=editor)
    with pytest.raises(UnknownComment):
        conversation.answer(release=spring, to=other.pk, text="?", actor=editor)
    with pytest.raises(IntegrityError, match="wrong_answer"), transaction.atomic():
        Comment.objects.create(release=spring, author=editor, text="?", answers=other)


def test_a_settled_comment_is_opened_again_and_counted(spring: Release, editor: User, manager: User) -> None:
    asked = conversation.comment(release=spring, text="Why?", actor=manager)
    answer = conversation.answer(release=spring, to=asked.pk, text="Because.", actor=editor)
    assert open_threads(spring) == 1
    for _ in range(2):  # the second time it is settled already, and no entry
        conversation.resolve(release=spring, number=answer.pk, actor=manager)
    assert (open_threads(spring), Settlement.objects.count()) == (0, 1)
    conversation.resolve(release=spring, number=asked.pk, actor=editor, is_resolved=False)
    assert open_threads(spring) == 1
    assert AuditEntry.objects.filter(action__in=("release.resolve", "release.unresolve")).count() == 2


def test_what_was_said_is_never_changed_or_removed(spring: Release, editor: User) -> None:
    said = conversation.comment(release=spring, text="Hm.", actor=editor)
    conversation.resolve(release=spring, number=said.pk, actor=editor)
    for rows in (Comment.objects, Settlement.objects):
        with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
            rows.all()._raw_delete("default")
    with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
        Comment.objects.update(text="Fine.")


def test_an_answer_alone_is_not_settled_in_the_database(spring: Release, editor: User) -> None:
    asked = conversation.comment(release=spring, text="Why?", actor=editor)
    answer = conversation.answer(release=spring, to=asked.pk, text="Because.", actor=editor)
    with pytest.raises(IntegrityError, match="wrong_settlement"), transaction.atomic():
        Settlement.objects.create(comment=answer, is_resolved=True, actor=editor)


# Asking for changes


@pytest.mark.parametrize("state", ["in review", "approved"])
def test_what_a_reviewer_asks_for_stands_until_it_is_submitted_again(
    spring: Release, editor: User, manager: User, other_manager: User, state: str
) -> None:
    submitted = review.submit(release=spring, actor=editor)
    if state == "approved":
        review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    sent_back = review.request_changes(release=spring, reason=" Darker blue. ", actor=other_manager)

    assert (sent_back.state, sent_back.manifest, sent_back.submitted_at) == (State.DRAFT, None, None)
    entry = request_for_changes(sent_back)
    assert entry
    assert (entry.actor, entry.details["reason"]) == (other_manager, "Darker blue.")
    [said] = conversation_of(spring)
    assert (said.kind, said.text) == (Comment.Kind.REQUEST, "Darker blue.")

    resubmitted = review.submit(release=sent_back, actor=editor)
    assert request_for_changes(resubmitted) is None
    review.reopen(release=resubmitted, actor=editor)
    assert request_for_changes(resubmitted) is None


def test_changes_are_asked_for_with_a_reason_of_what_is_looked_at(
    spring: Release, editor: User, manager: User
) -> None:
    with pytest.raises(WrongState, match="draft, so no changes can be asked for"):
        review.request_changes(release=spring, reason="Darker.", actor=manager)
    review.submit(release=spring, actor=editor)
    with pytest.raises(ReasonMissing):
        review.request_changes(release=spring, reason="  ", actor=manager)
    with pytest.raises(Forbidden, match="eva may not ask for changes"):
        review.request_changes(release=spring, reason="Darker.", actor=editor)
    with pytest.raises(CommentMissing):
        review.request_changes(release=spring, reason="x" * 5001, actor=manager)
    spring.refresh_from_db()
    assert spring.state == State.IN_REVIEW


def test_a_rejection_is_part_of_the_conversation(spring: Release, editor: User, manager: User) -> None:
    review.submit(release=spring, actor=editor)
    review.reject(release=spring, reason="Not blue.", actor=manager)
    assert [(one.kind, one.text) for one in conversation_of(spring)] == [("rejection", "Not blue.")]


# By command


def test_the_conversation_by_command(spring: Release, editor: User, manager: User, capsys: Capture) -> None:
    number = spring.pk
    [asked] = run(
        capsys, "release", "comment", number, "--text", "Why?", "--path", "js/old.js", "--as", "ben"
    )
    assert (asked["author"], asked["path"], asked["is_resolved"]) == ("ben", "js/old.js", False)
    answer = ("release", "comment", number, "--text", "Unused.", "--answer", asked["comment"], "--as", "eva")
    assert [a["text"] for a in run(capsys, *answer)[0]["answers"]] == ["Unused."]
    call_command("release", "comments", str(number))
    assert capsys.readouterr().out.splitlines() == [
        f"{asked['comment']:>5}  ben said of js/old.js",
        "       Why?",
        "       eva: Unused.",
    ]
    settled = run(capsys, "release", "resolve", number, asked["comment"], "--as", "ben")
    assert settled[0]["is_resolved"]
    assert run(capsys, "release", "comments", number, "--open") == []
    assert (
        run(capsys, "release", "resolve", number, asked["comment"], "--undo", "--as", "ben")[0]["is_resolved"]
        is False
    )
    assert refused(capsys, "release", "comment", number, "--text", "?", "--path", "x", "--as", "eva")[
        "code"
    ] == ("unknown_change")
    assert run(capsys, "release", "comments", spring.base_id) == []


def test_changes_are_asked_for_by_command(
    spring: Release, editor: User, manager: User, capsys: Capture
) -> None:
    review.submit(release=spring, actor=editor)
    asked = ("release", "request-changes", spring.pk, "--reason", "Darker.", "--as", "ben")
    report = run(capsys, *asked)
    assert (report["state"], report["open_comments"]) == ("draft", 1)
    assert (report["changes_requested"]["by"], report["changes_requested"]["reason"]) == ("ben", "Darker.")
    assert refused(capsys, *asked)["code"] == "wrong_state"
    call_command("release", "show", str(spring.pk))
    assert "ben asked for changes: Darker." in capsys.readouterr().out


# On the page


def test_the_page_shows_what_was_asked_for_at_its_top(
    spring: Release, editor: User, manager: User, viewer: User
) -> None:
    review.submit(release=spring, actor=editor)
    answer = take(spring, manager, "request_changes", reason="Darker <blue>.")
    assertContains(answer, "with what you asked for at its top")
    shown = staff_client(editor).get(page(spring))
    assertContains(shown, "“Darker &lt;blue&gt;.”")
    assertContains(shown, "Back in draft: ben asked for changes; you may submit it again.")
    assertContains(staff_client(viewer).get(page(spring)), "may submit it again.")


def test_a_comment_of_a_change_stands_at_the_change_and_in_the_conversation(
    spring: Release, editor: User, viewer: User
) -> None:
    said = take(spring, editor, "comment", text="Why <b>this</b>?", path="js/old.js")
    assertContains(said, "Your comment on js/old.js is there.")
    shown = staff_client(viewer).get(page(spring))
    assertContains(shown, "Why &lt;b&gt;this&lt;/b&gt;?</p>", count=2)
    assertContains(shown, "vera may not comment on release")
    assertNotContains(shown, 'name="text"')
    change = spring.changes.get(asset__path="js/old.js")
    assertContains(staff_client(viewer).get(page(spring, f"changes/{change.pk}")), "Why &lt;b&gt;this")


def test_a_thread_is_answered_settled_and_opened_again_on_the_page(
    spring: Release, editor: User, manager: User
) -> None:
    comment = conversation.comment(release=spring, text="Why?", actor=manager).pk
    assertContains(take(spring, editor, "answer", text="Because.", comment=comment), "Your answer to ben")
    assertContains(take(spring, manager, "resolve", comment=comment), "Open it again")
    assert open_threads(spring) == 0
    assertContains(take(spring, manager, "unresolve", comment=comment), "Settle it")
    assert open_threads(spring) == 1


@pytest.mark.parametrize("number", ["", "abc", "0", "9" * 30])
def test_a_comment_that_is_not_there_is_no_fault(spring: Release, editor: User, number: str) -> None:
    answer = staff_client(editor).post(page(spring), {"step": "answer", "text": "x", "comment": number})
    assertContains(answer, "has no comment", status_code=409)


def test_what_was_typed_is_kept_when_it_is_refused(spring: Release, editor: User) -> None:
    answer = staff_client(editor).post(page(spring), {"step": "comment", "text": "x" * 5001})
    assertContains(answer, "x" * 5001, status_code=409)


def test_a_conversation_takes_as_many_queries_for_thirty_comments_as_for_one(
    spring: Release, editor: User, viewer: User
) -> None:
    client = staff_client(viewer)
    conversation.comment(release=spring, text="One", path="js/old.js", actor=editor)
    with CaptureQueriesContext(connection) as one:
        client.get(page(spring))
    for number in range(29):
        said = conversation.comment(release=spring, text=f"More {number}", path="js/old.js", actor=editor)
        conversation.answer(release=spring, to=said.pk, text="Yes", actor=editor)
    with CaptureQueriesContext(connection) as many:
        shown = client.get(page(spring))

    assert len(many) == len(one)
    assert len(shown.context["threads"]) == 5, "the newest of two pages"
    assert len(client.get(page(spring), {"talk": 1}).context["threads"]) == 25
