"""Two people who tag at one moment, on PostgreSQL: one waits for the other, and sees what was done."""

from collections.abc import Callable
from threading import Thread
from time import monotonic, sleep

import pytest
from django.db import connection, transaction

from apps.accounts.models import User
from apps.assets.exceptions import TaggedSince
from apps.assets.models import Tagging
from apps.assets.selectors import tagging_numbered, tags_of
from apps.assets.services import ensure_assets, tag_assets, undo_tagging
from apps.refusals import Refusal

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer anyway"),
]

type Act = Callable[[], Tagging | None]

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'assets_tagging'::regclass"


def give(actor: User, path: str = "a.css") -> Tagging | None:
    return tag_assets(paths=[path], add=["sale"], actor=actor)


def take(actor: User, path: str = "a.css") -> Tagging | None:
    return tag_assets(paths=[path], remove=["sale"], actor=actor)


class Other:
    """Somebody else, with a connection of their own."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self.said: Tagging | Refusal | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.said = self._act()
        except Refusal as refusal:
            self.said = refusal
        finally:
            connection.close()

    def is_waiting(self) -> bool:
        """Say whether they wait for the lock on acts, once that is known; False where they did not wait."""
        until = monotonic() + 30
        while self._thread.is_alive() and monotonic() < until:
            with connection.cursor() as cursor:
                cursor.execute(WAITING)
                if cursor.fetchone() == (1,):
                    return True
            sleep(0.01)
        return False

    def after(self) -> Tagging | Refusal | None:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.said


@pytest.fixture(autouse=True)
def _assets(db: None) -> None:
    ensure_assets(["a.css", "b.css"])


@pytest.mark.parametrize(("first", "second", "is_tagged_then"), [(give, take, False), (take, give, True)])
def test_the_second_sees_what_the_first_has_done(
    editor: User,
    other_editor: User,
    first: Callable[[User], Tagging | None],
    second: Callable[[User], Tagging | None],
    is_tagged_then: bool,
) -> None:
    if first is take:
        give(editor)
    with transaction.atomic():
        mine = first(editor)
        other = Other(lambda: second(other_editor))
        assert other.is_waiting()
    theirs = other.after()
    assert mine
    assert isinstance(theirs, Tagging)
    assert theirs.pk > mine.pk
    assert tags_of(["a.css"], at=theirs.pk) == {"a.css": {"sale"} if is_tagged_then else set()}
    assert tags_of(["a.css"], at=mine.pk) == {"a.css": {"sale"} if first is give else set()}


def test_acts_are_numbered_as_they_are_committed(editor: User, other_editor: User) -> None:
    """Of files that have nothing to do with each other too: a release pins whatever came before a number."""
    with transaction.atomic():
        mine = give(editor)
        other = Other(lambda: give(other_editor, "b.css"))
        assert other.is_waiting()
    theirs = other.after()
    assert mine
    assert isinstance(theirs, Tagging)
    assert theirs.pk > mine.pk


def test_of_two_who_take_an_act_back_one_does(editor: User, other_editor: User) -> None:
    act = give(editor)
    assert act
    with transaction.atomic():
        undone = undo_tagging(tagging=act, actor=editor)
        other = Other(lambda: undo_tagging(tagging=tagging_numbered(act.pk), actor=other_editor))
        assert other.is_waiting()
    said = other.after()
    assert isinstance(said, TaggedSince)
    assert f"tagging {undone.pk} of eva" in said.message
