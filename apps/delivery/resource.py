"""What a path serves, made once: its representations, their headers, and the bytes that begin an answer.

A `Resource` is shared by every request for it, so nothing in it changes after it was made but the
numbers of its tally. The front doors differ in what they send it with, never in what it says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus

from apps.caching.rules import HeaderSet
from apps.delivery.negotiation import IDENTITY, choose
from apps.delivery.preconditions import Validators
from apps.delivery.tally import Tally
from apps.releases.channels.answer_headers import (
    Headers,
    etag,
    http_date,
    names,
    repr_digest,
    ruled,
    spelled,
)
from apps.releases.manifest import Representation as Coded

# RFC 9110 section 15.4.5: a 304 says what a cache has to update, and nothing of the body it has.
_NOT_IN_304 = frozenset(
    {"accept-ranges", "content-encoding", "content-length", "content-type", "last-modified", "repr-digest"}
)


@dataclass(frozen=True, slots=True)
class BlobPart:
    """`length` bytes from `start` of the blob `digest` (SHA-256 in hex), which has `size` bytes."""

    digest: str
    size: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Said:
    """What all representations of a resource say, names in lower case: `by_rule` first, `names` last.

    `last_modified` and `current_since` are as in `Validators`; `tally` counts the answers.
    """

    by_rule: Mapping[str, str]
    names: Mapping[str, str]
    last_modified: int
    current_since: int
    tally: Tally


class Representation:
    """One coding of a resource: which blob it is, and what is said with it.

    Date and Connection are the server's to say. What a site's rarest paths need once is made when it is
    first asked for, so that meeting one costs little.
    """

    def __init__(self, said: Said, digest: str, size: int, coding: str = IDENTITY) -> None:
        self._said = said
        self._coding = coding
        self.tally = said.tally
        self.digest = digest
        self.size = size
        self.etag = etag(digest)
        self.etag_bytes = self.etag.encode()
        self.is_coded = coding != IDENTITY

    @cached_property
    def validators(self) -> Validators:
        return Validators(self.etag, self._said.last_modified, self._said.current_since)

    @cached_property
    def body(self) -> tuple[BlobPart]:
        """The whole of it."""
        return (BlobPart(self.digest, self.size, 0, self.size),)

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Those of a 200 by lower-case name, in the order in which they are sent."""
        said = self._said
        return {
            **said.by_rule,
            "content-length": str(self.size),
            "etag": self.etag,
            "last-modified": http_date(said.last_modified),
            "accept-ranges": "bytes",
            "repr-digest": repr_digest(self.digest),
            **said.names,
            **({"content-encoding": self._coding} if self.is_coded else {}),
        }

    @cached_property
    def whole(self) -> Headers:
        """The headers of a 200."""
        return spelled(self.headers)

    @cached_property
    def not_modified(self) -> Headers:
        """The headers of a 304."""
        return spelled({name: value for name, value in self.headers.items() if name not in _NOT_IN_304})

    def partial(self, start: int, end: int) -> dict[str, str]:
        """Return the headers of a 206 with the bytes from `start` up to, not including, `end`."""
        return {
            **self.headers,
            "content-length": str(end - start),
            "content-range": f"bytes {start}-{end - 1}/{self.size}",
        }

    @cached_property
    def whole_head(self) -> bytes:
        """How a 200 begins, up to where Date follows."""
        return head(200, self.whole)

    @cached_property
    def not_modified_head(self) -> bytes:
        """How a 304 begins, up to where Date follows."""
        return head(304, self.not_modified)

    @cached_property
    def _partial_head(self) -> tuple[bytes, bytes]:
        before, _, after = head(206, spelled(self.partial(0, 1))).partition(b"Content-Length: 1\r\n")
        return before + b"Content-Length: ", after.rpartition(b"Content-Range: ")[
            0
        ] + b"Content-Range: bytes "

    def partial_head(self, start: int, end: int) -> bytes:
        """Return how a 206 with the bytes from `start` up to, not including, `end` begins."""
        before, after = self._partial_head
        return b"%b%d\r\n%b%d-%d/%d\r\n" % (before, end - start, after, start, end - 1, self.size)


class Resource:
    """What a path serves: the representations to choose from, with the headers that a rule gave it.

    `whole` is its blob as it is, `last_modified` and `current_since` are as in `Validators`; `release` is
    the one that answers name, None where they name none. `link` is the value of its Link header: a page's
    critical assets; "" where there are none. `tally` counts the answers with it.
    """

    def __init__(
        self,
        whole: Coded,
        codings: tuple[Coded, ...],
        header_set: HeaderSet,
        *,
        last_modified: int,
        current_since: int,
        release: int | None,
        link: str,
        tally: Tally,
    ) -> None:
        self.rule = header_set.rule
        self.link = link
        by_rule = ruled(header_set.headers, link=link, is_coded=bool(codings))
        self.tally = tally
        said = Said(by_rule, names(release, header_set.rule), last_modified, current_since, tally)
        self.identity = Representation(said, whole.encoded, whole.size)
        self.codings = {
            each.coding: Representation(said, each.encoded, each.size, each.coding) for each in codings
        }

    def choose(self, accept: str | None) -> Representation:
        """Return what a client gets that sent `accept` as its Accept-Encoding (None: it sent none)."""
        if not self.codings or not accept:
            return self.identity
        if ";" in accept or "*" in accept:
            coding = choose(accept, tuple(self.codings))
            return self.identity if coding == IDENTITY else self.codings[coding]
        # Without weights the first that is named wins, and reading that takes a tenth of the time.
        accepted = {name.strip(" \t") for name in accept.lower().replace("x-gzip", "gzip").split(",")}
        for coding, representation in self.codings.items():
            if coding in accepted:
                return representation
        return self.identity


def head(status: int, headers: Headers) -> bytes:
    """Return the status line and header lines of an HTTP/1.1 answer, without the empty line."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}".encode("latin-1")
