"""The answer to a GET of an address from one place, with every header of it: what delivery sends."""

from dataclasses import dataclass

from apps.caching.rules import HeaderSet
from apps.releases.channels.answer_headers import (
    NEVER_KEPT,
    NOT_OF_A_404,
    PARTS_OF_PAGES,
    SHORT_SHARED,
    Headers,
    etag,
    http_date,
    names,
    of_preview,
    repr_digest,
    ruled,
    spelled,
)
from apps.releases.channels.expected_answers import MISSING, Answer, Served, answer_at, served_at
from apps.releases.channels.targets import BadTarget, Target, parse_target
from apps.releases.manifest import ManifestReader, Representation
from apps.releases.selectors import first_published_at
from apps.releases.tracing.places import Place

_SENTENCE = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Answered:
    """Status and headers as they are sent, without content coding; `because` where there is no content.

    `served` is the file of a 200, `codings` are the forms of it that a browser may get instead.
    """

    status: int
    headers: Headers
    path: str
    served: Served | None = None
    location: str = ""
    because: str = ""
    codings: tuple[Representation, ...] = ()


def answered(place: Place, sent: str) -> Answered:
    """Return what a GET of the target `sent` is answered with."""
    try:
        target = parse_target(sent)
    except BadTarget as error:
        because = f"This address cannot be read: {error}."
        return Answered(400, _headers(place, _plain(NEVER_KEPT)), "", because=because)
    answer = answer_to(place, target)
    if answer.served:
        codings = reader_of(place, answer.served).representations(answer.blob)
        headers = _content(place, answer.served, codings)
        return Answered(200, _headers(place, headers), target.path, answer.served, codings=codings)
    if answer.location:
        because = f"It is at {answer.location}."
        headers = {**_plain(SHORT_SHARED), "location": answer.location, **_names(place)}
        return Answered(
            answer.status, _headers(place, headers), target.path, location=answer.location, because=because
        )
    headers, because = _missing(place, target)
    return Answered(404, _headers(place, headers), target.path, because=because)


def answer_to(place: Place, target: Target) -> Answer:
    """Return the answer of a place without its headers."""
    answer = answer_at(
        place.reader, target.path, place.addresses, retained=place.retained, query=target.query
    )
    if answer.served and not target.was_composed:
        return Answer(308, location=target.location())
    return answer


def at_target(place: Place, sent: str) -> Answer:
    """Return the answer of a place to a target as it was sent; one that cannot be read is missing."""
    try:
        return answer_to(place, parse_target(sent))
    except BadTarget:
        return MISSING


def reader_of(place: Place, served: Served) -> ManifestReader:
    """Return the manifest that a file is in."""
    return place.retained if served.is_retained and place.retained else place.reader


def _content(place: Place, served: Served, codings: tuple[Representation, ...]) -> dict[str, str]:
    header_set, entry = served.header_set, served.entry
    since = _last_modified(place, served)
    return {
        **ruled(header_set.headers, link=served.link, is_coded=bool(codings)),
        "content-length": str(entry.size),
        "etag": etag(entry.blob),
        **({"last-modified": http_date(since)} if since is not None else {}),
        "accept-ranges": "bytes",
        "repr-digest": repr_digest(entry.blob),
        **_names(place, header_set, entry.release if served.is_retained else None),
    }


def _missing(place: Place, target: Target) -> tuple[dict[str, str], str]:
    """Return the headers of a 404, and why there is one."""
    if target.path.endswith(PARTS_OF_PAGES):
        return {**_plain(NEVER_KEPT), **_names(place)}, "There is no such file."
    shown = place.channel.not_found_page
    page = served_at(place.reader, shown, retained=place.retained) if shown else None
    if page is None:
        return {**_plain(SHORT_SHARED), **_names(place)}, "There is no such page."
    codings = reader_of(place, page).representations(page.entry.blob)
    headers = _content(place, page, codings)
    kept = {name: value for name, value in headers.items() if name not in NOT_OF_A_404}
    return kept | {"cache-control": SHORT_SHARED}, f"There is no such page; /{shown} is shown in its place."


def _last_modified(place: Place, served: Served) -> int | None:
    """Return since when this content is there, in seconds since 1970; None where it never was live."""
    first = first_published_at(place.release) if place.publication else None
    began = place.preview.built_at if place.preview else first
    released_at = int(began.timestamp()) if began else None
    if served.entry.release == place.release.pk:
        return released_at
    return reader_of(place, served).released.get(served.entry.release, released_at)


def _names(
    place: Place, header_set: HeaderSet | None = None, brought_by: int | None = None
) -> dict[str, str]:
    if not (place.channel.names_release or place.preview):
        return {}
    return names(brought_by or place.release.pk, header_set.rule if header_set else "")


def _plain(cache_control: str) -> dict[str, str]:
    return {**_SENTENCE, "cache-control": cache_control}


def _headers(place: Place, headers: dict[str, str]) -> Headers:
    sent = spelled(headers)
    return of_preview(sent, place.preview.manifest_id or "") if place.preview else sent
