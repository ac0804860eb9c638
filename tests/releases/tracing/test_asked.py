"""What people paste is read as a browser would send it, or refused with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.releases.channels.targets import BadTarget, parse_target
from apps.releases.tracing.asked import MAX_CHARACTERS, AddressFault, asked_address


@pytest.mark.parametrize(
    ("pasted", "host", "target"),
    [
        ("https://www.example.com/css/app.css", "www.example.com", "/css/app.css"),
        (" HTTP://WWW.Example.com:8443/a?b=1&c ", "www.example.com", "/a?b=1&c"),
        ("localhost:8000/a.css", "localhost", "/a.css"),
        ("//www.example.com/a", "www.example.com", "/a"),
        ("known.example/a", "known.example", "/a"),
        ("css/app.css", "", "/css/app.css"),
        ("/css/app.css", "", "/css/app.css"),
        ("http://[::1]:8000/a", "[::1]", "/a"),
        ("https://bücher.example/käse ü.txt", "xn--bcher-kva.example", "/k%C3%A4se%20%C3%BC.txt"),
        ("https://www.example.com?x", "www.example.com", "/?x"),
        ("/a%2Fb%20c", "", "/a%2Fb%20c"),
        ("/a:b/c", "", "/a:b/c"),
    ],
)
def test_an_address_bar_is_understood(pasted: str, host: str, target: str) -> None:
    asked = asked_address(pasted, is_host=lambda name: name == "known.example")

    assert (asked.host, asked.target, asked.notes) == (host, target, ())


def test_what_no_server_sees_is_left_out_and_said() -> None:
    asked = asked_address("https://eva:secret@www.example.com/a#part")

    assert (asked.host, asked.target) == ("www.example.com", "/a")
    assert len(asked.notes) == 2
    assert "secret" not in " ".join([asked.shown, *asked.notes])


@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        ("", "no address"),
        ("/a\r\nSet-Cookie: x", "line break"),
        ("/a\x00", "control character"),
        ("javascript:alert(1)", "javascript: begins no address"),
        ("ftp://www.example.com/a", "ftp: begins no address"),
        ("http:www.example.com", "two slashes"),
        ("http://exa mple.com/", "is no host"),
        ("http://*/a", "is no host"),
        ("http://[::1/a", "is no host"),
        ("/" + "a" * MAX_CHARACTERS, "at most 8,192"),
        ("https://www.example.com/" + "%41" * 30_000, "at most 8,192"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(pasted: str, words: str) -> None:
    with pytest.raises(AddressFault, match=words):
        asked_address(pasted)


@given(st.text(max_size=200))
def test_whatever_is_pasted_there_is_a_target_or_a_reason(pasted: str) -> None:
    try:
        asked = asked_address(pasted)
    except AddressFault:
        return
    assert asked.target.startswith("/")
    assert asked.target.isascii()
    assert not set("\r\n #") & set(asked.target)
    try:
        parse_target(asked.target)
    except BadTarget:
        return
