"""Requests as they come over a connection: gunicorn's C parser, and what it leaves to be told apart."""

from typing import Any

import gunicorn_h1c as h1c

from apps.delivery.respond import Response, plain

_WORDS = {
    414: "The address is too long.",
    431: "The header fields are too large or too many.",
    501: "This transfer coding is not known here.",
}


def _incomplete() -> type[Exception]:
    """Return what the parser raises for the beginning of a request: not the class that it exports."""
    try:
        h1c.parse_request_fast(b"G", 0)
    except Exception as error:  # noqa: BLE001 - it is the question which
        return type(error)
    raise RuntimeError(f"gunicorn_h1c {h1c.__version__} takes half a request for a whole one")


Incomplete = _incomplete()


def fields_of(request: Any) -> dict[str, str]:
    """Return the header fields, those that were sent more than once as one (RFC 9110 section 5.3).

    A name with an underscore could be taken for the one with a hyphen: it does not count, as in gunicorn.
    """
    found: dict[str, str] = {}
    for name, value in request.asgi_headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        if "_" not in key:
            found[key] = f"{found[key]},{text}" if key in found else text
    return found


def refusal_of(fault: Exception) -> Response:
    """Answer a request that the parser refuses (RFC 9112 sections 2.2, 3, 5 and 6)."""
    if isinstance(fault, h1c.LimitRequestLine):
        return refusal(414, str(fault))
    return refusal(431 if isinstance(fault, h1c.LimitRequestHeaders) else 400, str(fault))


def refusal(status: int, fault: str) -> Response:
    """Answer with the status of what is no request, in the same words whoever has read it."""
    return plain(status, _WORDS.get(status) or f"This request cannot be read: {fault}.")


def asks_for_a_head(data: bytes) -> bool:
    """Say whether bytes that could not be read began as a HEAD, whose answer has no body (RFC 9110 9.3.2)."""
    return data.lstrip(b"\r\n").startswith(b"HEAD ")
