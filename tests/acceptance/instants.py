"""Kill -9 at every instant of what is done that can be told from another by what is left behind.

Between two writes to disk, and between two commits, a process may die anywhere: it leaves the same. So an
instant is the moment before a file below DATA_DIR appears, is renamed or removed, and before a transaction
is committed. A new step is an instant without anybody having to name it.
"""

import json
import os
import re
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateField, Field, Model

from apps.assets import store
from apps.assets.store import temporary_folder
from apps.audit.models import AuditEntry
from apps.audit.selectors import chain_faults
from apps.releases.history.signatures import signer_of
from apps.releases.history.signing import signing_key, verified
from apps.releases.history.verification import history_faults, index_faults
from apps.releases.models import Channel, Preview, Release
from apps.releases.services.channel_index import reconcile_index
from apps.releases.services.preview_pointers import pointer_document, pointer_name, reconcile_previews
from assetsite.launch.preparation import recover
from tests.acceptance.acts import ACTS, Act

type State = dict[str, list[list[object]]]
"""The rows of each table, without what time and chance have put into them."""

_EVENTS = {"open", "os.rename", "os.remove"}
_CREATES = os.O_CREAT | os.O_TRUNC
# Derived from content, and found again by it: it may be there or not; numbers of what is there are kept.
_DERIVED = {"Manifest", "RetainedNames", "Blob", "Asset", "AssetVersion", "Representation", "AuditHead"}
_OF_CHANCE = {
    *("key", "hash", "previous_hash", "statement", "signature", "tag", "key_id", "details", "summary"),
    "outcome",  # which says how late it was
}


class Instants:
    """The instants that this process has come to, by name, and the number of that in which it dies."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.last: int | None = None
        self.is_watched = False
        sys.addaudithook(self._see)
        commit = BaseDatabaseWrapper.commit

        come_to = self.come_to

        def committing(self: BaseDatabaseWrapper) -> None:
            come_to("commit")
            commit(self)

        BaseDatabaseWrapper.commit = committing  # type: ignore[method-assign]
        connection.execute_wrappers.append(self._execute)

    def watch(self, do: Callable[[], object], *, last: int | None = None) -> list[str]:
        """Do something; return its instants. With `last` (from 0) it ends with SIGKILL at that one."""
        self.names, self.last, self.is_watched = [], last, True
        try:
            do()
        finally:
            self.is_watched = False
        return self.names

    def come_to(self, name: str) -> None:
        if not self.is_watched:
            return
        if len(self.names) == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.names.append(name)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.is_watched and event in _EVENTS and _leaves_something(event, arguments):
            place = Path(arguments[0])
            if place.is_relative_to(settings.DATA_DIR):
                self.come_to(f"{event} {place.relative_to(settings.DATA_DIR)}")

    def _execute(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        is_write = sql.lstrip("(")[:6].upper() in {"INSERT", "UPDATE", "DELETE"}
        if is_write and not connection.in_atomic_block:
            self.come_to(f"alone: {sql[:60]}")
        return execute(sql, params, many, context)


def _leaves_something(event: str, arguments: tuple[Any, ...]) -> bool:
    """Say whether that changes what a start finds: a file appears, gets another name, or goes."""
    path = arguments[0]
    if not isinstance(path, str | os.PathLike):
        return False
    return (
        Path(path).exists() if event != "open" else bool(arguments[2] & _CREATES) and not Path(path).exists()
    )


def kill_everywhere(name: str) -> None:
    """Do an act once for each of its instants, and die there; print what each left behind, as JSON."""
    act, instants = ACTS[name], Instants()
    for step in act.before:
        step()
    site = _Kept()
    before = state()
    names = instants.watch(act.do)
    _start_again()
    after = state()
    assert before != after, "nothing was done"
    found = []
    for number, instant in enumerate([*names, "the end"]):
        if not act.is_killed_everywhere and not instant.startswith(("commit", "alone", "the end")):
            continue
        site.bring_back()
        _forked(partial(instants.watch, act.do, last=number))
        found.append({"instant": instant} | _forked(partial(_look, act, before, after)))
    site.forget()
    print(json.dumps(found))


def _look(act: Act, before: State, after: State) -> dict[str, object]:
    """Start again; say where the act is, what is wrong, and where it is once it has been done again."""
    _start_again()
    now = state()
    where = "before" if now == before else "after" if now == after else difference(before, now)
    faults = list(_faults())
    if where == "before":
        act.do()
        _start_again()
        now = state()
        faults += _faults()
    then = "after" if now == after else difference(after, now)
    return {"where": where, "faults": faults, "then": then}


def _start_again() -> None:
    """Do what a start does at once, and the worker in its first second."""
    reconcile_index()
    recover()
    reconcile_previews()


def _faults() -> Iterator[str]:
    """Yield what database, storage and log do not agree about."""
    for channel in Channel.objects.all():
        yield from map(str, history_faults(channel))
    yield from map(str, index_faults())
    yield from (fault.message for fault in chain_faults())
    yield from (f"{file} is left" for file in temporary_folder().glob("*"))
    for preview in Preview.objects.all():
        content = store.read(pointer_name(preview.key))
        wanted = None if preview.revoked_at or preview.pointer == "gone" else pointer_document(preview)
        if (verified(content, name=pointer_name(preview.key)) if content else None) != wanted:
            yield f"{preview} is {preview.pointer} and its pointer is not"
        elif content and signer_of(content) != signing_key().public.id:
            yield f"{preview} is signed with an earlier key"


def state() -> State:
    """Return what the database says, without what time and chance have put into it."""
    models = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in {"releases", "caching", "audit", "accounts"}
        and model.__name__ not in _DERIVED
    ]
    ranks = {model: _ranks(model) for model in models}
    return {model._meta.label: _rows(model, ranks) for model in models}


def _ranks(model: type[Model]) -> dict[object, int]:
    """Number the rows of a table from 1: a sequence goes on after what was rolled back."""
    numbers = model._base_manager.order_by("pk").values_list("pk", flat=True)
    return {number: rank for rank, number in enumerate(numbers, 1)}


def _rows(model: type[Model], ranks: dict[type[Model], dict[object, int]]) -> list[list[object]]:
    fields = [
        field
        for field in model._meta.concrete_fields
        if not isinstance(field, DateField) and field.name not in _OF_CHANCE and not field.primary_key
    ]
    rows = model._base_manager.order_by("pk")
    return [[f"{field.name}={_value(row, field, ranks)}" for field in fields] for row in rows]


def _value(row: Model, field: Field[Any, Any], ranks: dict[type[Model], dict[object, int]]) -> object:
    target = field.related_model
    number = getattr(row, field.attname)
    if isinstance(row, AuditEntry) and field.name == "target":
        return _ranked(number, ranks[Release])
    if number is None or not isinstance(target, type):
        return number
    return ranks[target][number] if target in ranks else str(getattr(row, field.name))


def _ranked(target: str, ranks: dict[object, int]) -> str:
    """Return what an entry of the log is about, with the rank of a release for its number."""
    return re.sub(r"(?<=^release )\d+$", lambda found: f"#{ranks.get(int(found[0]))}", target)


def difference(old: State, new: State) -> str:
    """Say which rows differ, for whoever looks at a test that failed."""
    return "; ".join(f"{label}: {old[label]} → {rows}" for label, rows in new.items() if rows != old[label])


class _Kept:
    """A copy of this process's site, folder and database, which may be brought back."""

    def __init__(self) -> None:
        connections.close_all()
        self._folder = Path(f"{settings.DATA_DIR}.kept")
        shutil.copytree(settings.DATA_DIR, self._folder)
        self._name = str(connection.settings_dict["NAME"])
        if connection.vendor == "postgresql":
            self._copy(self._name, f"{self._name}_kept")

    def bring_back(self) -> None:
        connections.close_all()
        shutil.rmtree(settings.DATA_DIR)
        shutil.copytree(self._folder, settings.DATA_DIR)
        if connection.vendor == "postgresql":
            self._drop(self._name)
            self._copy(f"{self._name}_kept", self._name)

    def forget(self) -> None:
        connections.close_all()
        shutil.rmtree(self._folder)
        if connection.vendor == "postgresql":
            self._drop(f"{self._name}_kept")

    def _copy(self, source: str, target: str) -> None:
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')

    def _drop(self, name: str) -> None:
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _forked(do: Callable[[], object]) -> Any:
    """Do something in a child; return what it returned, None where it was killed."""
    connections.close_all()
    with tempfile.TemporaryFile("w+") as said:
        child = os.fork()
        if not child:
            status = 1
            try:
                json.dump(do(), said)
                said.flush()
                status = 0
            except BaseException:
                traceback.print_exc()
                raise
            finally:
                sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, -signal.SIGKILL), f"the child ended with {status}"
        said.seek(0)
        return json.load(said) if status == 0 else None
