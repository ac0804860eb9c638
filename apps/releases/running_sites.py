"""What a site that runs elsewhere answers for the files of a release, to begin cache rules with."""

import ssl
from collections import Counter
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from pathlib import PurePosixPath
from typing import IO
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from apps.caching.importing.seen import Answer
from apps.caching.patience import fault_in_words
from apps.releases.manifest import ManifestReader

INDEX = "index.html"
PATIENCE_SECONDS = 10.0
MOST_OF_A_KIND = 5


class SiteUnreachable(Exception):
    """A site does not answer at all, in words."""


class _NoRedirects(HTTPRedirectHandler):
    """What is redirected says nothing of the file; a redirect might lead anywhere."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def sample(manifest: ManifestReader, most: int) -> list[str]:
    """Return paths of a manifest, some of each ending."""
    counted: Counter[str] = Counter()
    paths: list[str] = []
    for entry in manifest.entries():
        ending = PurePosixPath(entry.path).suffix.lower()
        if counted[ending] < MOST_OF_A_KIND:
            counted[ending] += 1
            paths.append(entry.path)
        if len(paths) == most:
            break
    return paths


def is_site(text: str) -> bool:
    """Say whether this is the address of a site."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def site_fault(site: str) -> str:
    """Say why nothing can be asked for under the address of a site, "" where it can; it may hold a secret."""
    parts = urlsplit(site)
    try:
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        has_port = False
    if not has_port:
        return "its port is none"
    if parts.username is not None:
        return "it has a name or a password, which would stand in the rules"
    if "?" in site or "#" in site:
        return "it has a query or a fragment"
    if not parts.path.isascii() or not site.isprintable() or " " in site:
        return "it has characters that no address has"
    return ""


def ask(site: str, paths: Iterable[str]) -> Iterator[tuple[str, Answer | str]]:
    """Yield each path with what `site` answers for it, or in words why that says nothing of the file.

    One request after another; no body is read. Raises `SiteUnreachable` when a request gets no answer.
    """
    opener = build_opener(_NoRedirects, HTTPSHandler(context=ssl.create_default_context()))
    for path in paths:
        name = path.removesuffix(INDEX) if PurePosixPath(path).name == INDEX else path
        request = Request(  # noqa: S310 - `is_site` has seen that it is http or https
            f"{site.rstrip('/')}/{quote(name)}", headers={"User-Agent": "Assetsite-Import/1"}
        )
        try:
            with opener.open(request, timeout=PATIENCE_SECONDS) as answer:
                is_file = answer.status == HTTPStatus.OK
                headers = tuple(answer.headers.items())
                yield path, Answer(path, headers) if is_file else f"answered {answer.status}"
        except HTTPError as error:
            error.close()
            yield path, f"answered {error.code}"
        except (OSError, HTTPException, UnicodeError) as error:  # that is of a host's name
            reason = getattr(error, "reason", error)
            words = fault_in_words(reason if isinstance(reason, Exception) else error)
            raise SiteUnreachable(f"{site} does not answer: {words}") from error
