"""Targets, by properties: what a path is written as leads back to it, and nothing leads out."""

import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.assets.paths import path_fault
from apps.releases.channels.targets import BadTarget, authority_fault, parse_target, split_form

paths = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).filter(
    lambda path: path_fault(unicodedata.normalize("NFC", path)) is None
)


@given(paths)
def test_every_path_that_can_be_published_can_be_asked_for(path: str) -> None:
    target = parse_target("/" + quote(path) + "?q=1")
    assert target.path == unicodedata.normalize("NFC", path)
    assert target.was_composed == unicodedata.is_normalized("NFC", path)
    assert target.query == "q=1"


@given(paths)
def test_a_location_leads_to_its_path(path: str) -> None:
    target = parse_target("/" + quote(path))
    again = parse_target(target.location(suffix="/"))
    assert (again.path, again.was_composed) == (target.path + "/", True)
    assert target.location().isascii()


@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_any_bytes_are_a_safe_path_or_refused(sent: str) -> None:
    try:
        target = parse_target("/" + sent)
    except BadTarget:
        return
    *folders, last = target.path.split("/")
    assert not {"", ".", ".."} & set(folders)
    assert last not in (".", "..")
    assert not {"\0", "\\", "\r", "\n"} & set(target.path)
    assert not target.location().startswith("//")


@pytest.mark.parametrize(
    ("sent", "authority", "rest"),
    [
        ("/a?b", None, "/a?b"),
        ("http://example.com", "example.com", "/"),
        ("http://example.com?q", "example.com", "/?q"),
        ("HTTPS://me@Example.com:81/a", "me@Example.com:81", "/a"),
        ("*", None, "*"),
    ],
)
def test_rfc_9112_3_2_2_a_whole_url_has_an_authority(sent: str, authority: str | None, rest: str) -> None:
    assert split_form(sent) == (authority, rest)


@pytest.mark.parametrize("authority", ["", ":80", "me@example.com", "example.com:eighty", "[", "a b"])
def test_rfc_9110_4_2_an_authority_names_a_host_and_nobody(authority: str) -> None:
    assert authority_fault(authority)


@pytest.mark.parametrize("authority", [None, "example.com", "example.com:", "[::1]:81"])
def test_rfc_9110_4_2_a_host_may_have_a_port(authority: str | None) -> None:
    assert authority_fault(authority) is None
