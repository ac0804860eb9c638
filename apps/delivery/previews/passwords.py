"""The password of a preview: who has typed it gets a cookie, and who guesses has few guesses.

The cookie says nothing but that the password was known: an HMAC over preview, end and password. It is
the host's alone, out of reach of scripts, and worth nothing at any other host or for another password.
"""

import hmac
import json
import os
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from django.conf import settings

from apps.delivery.files.locks import alone
from apps.delivery.previews.pointer import PreviewPointer

MOST_GUESSES = 10
WINDOW_SECONDS = 900
_MOST_CHARACTERS = 200


def has_cookie(cookies: str, pointer: PreviewPointer) -> bool:
    """Say whether a Cookie header has this preview's cookie; one of the same name beside it does no harm."""
    expected = _token(pointer)
    pairs = (part.strip().partition("=") for part in cookies.split(";"))
    return any(
        hmac.compare_digest(value.encode("latin-1", "replace"), expected.encode())
        for name, _, value in pairs
        if name == _cookie_name()
    )


def cookie_of(pointer: PreviewPointer, *, now: float) -> str:
    """Return the Set-Cookie header for who knows the password: of this host alone, until the preview ends."""
    seconds = max(int(pointer.expires_at - now), 0)
    secure = "; Secure" if _is_secure() else ""
    return f"{_cookie_name()}={_token(pointer)}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def read_form(body: bytes) -> tuple[str, str]:
    """Return the password and the path that were sent; a path elsewhere counts as the root."""
    try:
        fields = parse_qs(body.decode(), max_num_fields=4)
    except ValueError:
        return "", "/"
    return fields.get("password", [""])[-1][:_MOST_CHARACTERS], local_path(fields.get("to", [""])[-1])


def local_path(to: str) -> str:
    """Return a path of this host, with its query; "/" for what a browser could take for another host."""
    is_printable = to.isascii() and to.isprintable() and "\\" not in to
    if not is_printable or not to.startswith("/") or to.startswith("//") or urlsplit(to).netloc:
        return "/"
    return to


def is_password(typed: str, pointer: PreviewPointer) -> bool:
    """Compare what was typed with what is kept, which takes its time on purpose."""
    # It brings Django's forms and views with it, which nobody who asks for a published file waits for.
    from django.contrib.auth.hashers import check_password  # noqa: PLC0415

    return bool(typed) and check_password(typed, pointer.password)


class Guesses:
    """Counts the guesses at each preview's password, for all processes of this machine.

    A guess counts before it is looked at, so that many at once are no way around it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, key: str) -> int:
        """Count a guess; return 0, or the seconds until there is another one. Raises `OSError`."""
        now = time.time()
        with alone(self._folder / f"{key}.lock"):
            guesses = self._recent(key, now)
            if len(guesses) >= MOST_GUESSES:
                return max(int(min(guesses) + WINDOW_SECONDS - now) + 1, 1)
            self._write(key, [*guesses, now])
        return 0

    def forget(self, key: str) -> None:
        """Count anew, after the password was typed."""
        self._file(key).unlink(missing_ok=True)

    def _recent(self, key: str, now: float) -> list[float]:
        try:
            noted = json.loads(self._file(key).read_bytes())
            return [min(float(at), now) for at in noted if at > now - WINDOW_SECONDS]
        except (FileNotFoundError, TypeError, ValueError):
            return []

    def _write(self, key: str, guesses: list[float]) -> None:
        if len(guesses) == 1:
            self._tidy()
        file = self._file(key)
        unfinished = file.with_suffix(".new")
        unfinished.write_text(json.dumps(guesses))
        unfinished.replace(file)

    def _tidy(self) -> None:
        """Remove what is noted of guesses that no longer count."""
        oldest = time.time() - WINDOW_SECONDS
        for file in self._folder.glob("*.json"):
            if file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def current_guesses() -> Guesses:
    """Return the guesses of this machine."""
    return Guesses(Path(os.fspath(settings.DATA_DIR)) / "node" / "guesses")


def _is_secure() -> bool:
    return bool(settings.PREVIEW_URL.startswith("https:"))


def _cookie_name() -> str:
    """Return a name that, with TLS, a browser takes for no other host than the one that has set it."""
    return f"{'__Host-' if _is_secure() else ''}assetsite-preview"


def _token(pointer: PreviewPointer) -> str:
    message = f"assetsite preview cookie 1\n{pointer.key}\n{pointer.expires_at}\n{pointer.password}"
    return hmac.digest(settings.SECRET_KEY.encode(), message.encode(), "sha256").hex()
