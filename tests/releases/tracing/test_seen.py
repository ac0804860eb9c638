"""Headers are read as curl and browsers show them, whatever else is in what was pasted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.releases.tracing.keeping import keepings
from apps.releases.tracing.seen import MAX_CHARACTERS, PasteFault, seen_answer

DIGEST = "ab" * 32
REPR = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="


@pytest.mark.parametrize(
    "pasted",
    [
        "HTTP/1.1 301 M\r\nAge: 9\r\n\r\nHTTP/2 200\r\ncache-control: max-age=5\r\nage: 3\r\n\r\n<p>",
        "* Connected\n> GET / HTTP/1.1\n>\n< HTTP/1.1 200 OK\n< Cache-Control: max-age=5\n< Age: 3\n<",
        ":status: 200\ncache-control: max-age=5\nage: 3",
        "status\n200\ncache-control\nmax-age=5\nage\n3\n",
        "Status: 200 OK\nCache-Control : max-age=5\nage:3\n",
        "  HTTP/2 200\n  cache-control: max-age=5\n  age: 3\n",
        "HTTP/1.1 200 OK\ncache-control:\n\tmax-age=5\nage: 3\n",
    ],
)
def test_the_last_answer_is_read_however_it_is_shown(pasted: str) -> None:
    seen = seen_answer(pasted)

    assert (seen.status, seen.headers["cache-control"], seen.age_seconds) == (200, "max-age=5", 3)


def test_a_folded_line_belongs_to_the_header_above() -> None:
    seen = seen_answer("HTTP/1.1 200 OK\nCache-Control: max-age=5,\n\ts-maxage=9\nAge: 3")

    assert (seen.headers["cache-control"], seen.age_seconds) == ("max-age=5, s-maxage=9", 3)


@pytest.mark.parametrize(
    ("header", "digest"),
    [
        (f'etag: "{DIGEST}"', DIGEST),
        (f'etag: W/"{DIGEST}-gzip"', DIGEST),
        (f'etag: "other"\nrepr-digest: sha-512=:x:, sha-256=:{REPR}:', DIGEST),
        ('etag: "5f-1234"', ""),
        ("repr-digest: sha-256=:%%%:", ""),
    ],
)
def test_the_bytes_are_known_by_etag_or_digest(header: str, digest: str) -> None:
    assert seen_answer(header).digest == digest


def test_caches_on_the_way_name_themselves() -> None:
    seen = seen_answer(
        'cache-status: Origin; fwd=miss, "edge"; hit; ttl=3\nvia: 1.1 varnish\nx-cache: HIT, MISS'
    )

    assert [(hop.header, hop.was_hit) for hop in seen.hops] == [
        ("Cache-Status", False), ("Cache-Status", True), ("Via", None), ("X-Cache", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        ("", "no header in it"),
        ("hello\n\nworld", "no header in it"),
        ("\x00\x01\xff" * 100, "no header in it"),
        ("a: b\n" * 201, "201 headers"),
        ("a" * (MAX_CHARACTERS + 1), "65,537 characters"),
    ],
)
def test_what_are_no_headers_is_refused(pasted: str, words: str) -> None:
    with pytest.raises(PasteFault, match=words):
        seen_answer(pasted)


@given(st.text(max_size=300), st.text(max_size=50))
def test_whatever_is_pasted_is_read_or_refused(pasted: str, value: str) -> None:
    for text in (
        pasted,
        f"date: {value}\nage: {value}\netag: {value}\ncache-status: {value}\ncache-control: {value}",
    ):
        try:
            seen = seen_answer(text)
        except PasteFault:
            continue
        assert all(name == name.lower() and "\n" not in value for name, value in seen.headers.items())
        assert isinstance(seen.hops, list)
        assert seen.date is None or seen.date.tzinfo
        assert (seen.digest == "") or len(seen.digest) == 64
        assert seen.age_seconds is None or seen.age_seconds >= 0
        assert all(kept.seconds >= 0 for kept in keepings(seen.headers))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"cache-control": "public, max-age=5, s-maxage=9"}, (5, 9, 9)),
        ({"cache-control": "no-store"}, (None, None, None)),
        ({"cache-control": "private, max-age=5"}, (5, None, None)),
        ({"cache-control": "no-cache"}, (0, 0, 0)),
        ({"cache-control": "max-age=5", "cdn-cache-control": "max-age=60"}, (5, 5, 60)),
        ({"cache-control": "max-age=5", "surrogate-control": 'max-age="60"'}, (5, 5, 60)),
        ({"cache-control": "no-store", "cdn-cache-control": "max-age=60"}, (None, None, 60)),
        ({"cache-control": "max-age=-1, MAX-AGE=5"}, (0, 0, 0)),
        ({"cache-control": f"max-age={'9' * 18}"}, (1 << 31, 1 << 31, 1 << 31)),
        ({"cache-control": f"max-age={'9' * 5_000}"}, (1 << 31, 1 << 31, 1 << 31)),
        ({"cache-control": f"max-age={'0' * 5_000}5 , S-MaxAge = 007"}, (5, 7, 7)),
        ({"cache-control": "max-age=12345678901, s-maxage=0"}, (1 << 31, 0, 0)),
        ({"cache-control": "max-age=\u00b2, s-maxage=5s"}, (0, 0, 0)),
        ({"cache-control": "max-age=60, no-cache"}, (0, 0, 0)),
        ({"cache-control": "max-age=60, no-cache", "cdn-cache-control": "no-cache, max-age=5"}, (0, 0, 0)),
        ({"cache-control": "max-age=5", "cdn-cache-control": "private"}, (5, 5, None)),
        ({}, (0, 0, 0)),
    ],
)
def test_each_kind_of_cache_goes_by_its_own_header(
    headers: dict[str, str], expected: tuple[int | None, ...]
) -> None:
    assert tuple(kept.seconds if kept.may_keep else None for kept in keepings(headers)) == expected


def test_stale_times_hold_where_nothing_forbids_them() -> None:
    stale = "max-age=1, stale-while-revalidate=2, stale-if-error=3"

    def times(value: str) -> list[tuple[int, int]]:
        return [
            (kept.stale_while_revalidate, kept.stale_if_error) for kept in keepings({"cache-control": value})
        ]

    assert times(stale) == [(2, 3)] * 3
    assert times(f"{stale}, must-revalidate") == [(0, 0)] * 3
    assert times(f"{stale}, no-cache") == [(0, 0)] * 3
    assert times(f"{stale}, proxy-revalidate") == [(2, 3), (0, 0), (0, 0)]
    assert keepings({"cache-control": stale})[0].words == (
        "keeps it 1 s, then up to 2 s while it asks anew, then up to 3 s while the origin fails"
    )
