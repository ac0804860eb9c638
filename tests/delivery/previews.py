"""Previews without services: pointers written directly, and three front doors to ask for them at."""

import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from django.contrib.auth.hashers import make_password

from apps.delivery.previews.addresses import ENTER_PATH
from apps.releases.history.signatures import MEMBER, sign
from apps.releases.previews.hosts import PreviewHost, label_of
from tests.delivery.doors import CLIENT, OF_THE_SERVER, Reply
from tests.serving import SIGNING_KEY, Gunicorn, Published, read_answer

SECRET = "for-tests-only"
DOMAIN = "preview.localhost"
PASSWORD = "open sesame and so on"
HASHED = make_password(PASSWORD, hasher="scrypt")
DAY = 86_400
_numbers = itertools.count(1)


class Ask(Protocol):
    """Ask for a target of a host; other header names as keywords, `_` for `-`."""

    def __call__(
        self, target: str, host: str, *, method: str = "GET", body: bytes = b"", **headers: str
    ) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Made:
    """A preview that was written: its host and its pointer's file."""

    label: str
    file: Path

    @property
    def host(self) -> str:
        return f"{self.label}.{DOMAIN}"

    def revoke(self) -> None:
        self.file.unlink()

    def rewrite(self, **words: Any) -> None:
        """Write the pointer anew with other words, and sign it."""
        pointer = json.loads(self.file.read_bytes())
        write_pointer(self.file, {**pointer, **words})


def show(site: Published, release: int, *, seconds: int = DAY, **words: Any) -> Made:
    """Write the pointer of a preview of a release that was prepared; return where it is shown."""
    key = f"{next(_numbers):016x}"
    host = PreviewHost(release, key, int(time.time()) + seconds)
    prepared = site.pointers[release]
    file = site.folder / "previews" / f"{key}.json"
    pointer = {
        "format": 1,
        "preview": key,
        "release": release,
        "digest": prepared["digest"],
        "manifest": prepared["manifest"],
        "is_of_draft": False,
        "built_at": prepared["released_at"],
        "expires_at": host.expires_at,
        "has_banner": False,
        "password": "",
        "options": {"clean_urls": False, "not_found_page": "404.html"},
    }
    write_pointer(file, {**pointer, **words})
    return Made(label_of(host, SECRET), file)


def write_pointer(file: Path, pointer: Mapping[str, Any]) -> None:
    words = {name: value for name, value in pointer.items() if name != MEMBER}
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".new")
    unfinished.write_bytes(sign(words, name=f"previews/{file.name}", key=SIGNING_KEY))
    unfinished.replace(file)


def ask_in_process(
    target: str, host: str, *, method: str = "GET", body: bytes = b"", **headers: str
) -> Reply:
    """Ask the middleware."""
    named = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    response = CLIENT.generic(
        method, ENTER_PATH if body else "/", body, FORM_TYPE, headers=named, RAW_URI=target
    )
    received = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, received, response.getvalue())


def asker(server: Gunicorn) -> Ask:
    """Return what asks a server."""

    def ask(target: str, host: str, *, method: str = "GET", body: bytes = b"", **headers: str) -> Reply:
        fields = {"host": host, "connection": "close"}
        if body:
            fields |= {"content-length": str(len(body)), "content-type": FORM_TYPE}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        sent = f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body
        answer = read_answer(server.exchange(sent), method)
        own = {name: value for name, value in answer.headers.items() if name not in OF_THE_SERVER}
        return Reply(answer.status, own, answer.body)

    return ask


FORM_TYPE = "application/x-www-form-urlencoded"


def until[T](ask: Callable[[], T], is_so: Callable[[T], bool]) -> T:
    """Ask until the answer is as it should be, which takes a poll."""
    deadline = time.monotonic() + 30
    while not is_so(answer := ask()):
        assert time.monotonic() < deadline, answer
    return answer
