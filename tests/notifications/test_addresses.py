"""What is sent to, and what never is."""

from ipaddress import ip_address, ip_network

import pytest

from apps.notifications.addresses import Target, is_allowed, target_of
from apps.notifications.exceptions import WrongAddress


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://chat.example.com/hooks/42?x=1", Target("chat.example.com", 443, True, "/hooks/42?x=1")),
        ("https://chat.example.com:8443", Target("chat.example.com", 8443, True, "/")),
        ("http://localhost:9000/a", Target("localhost", 9000, False, "/a")),
        ("http://127.0.0.1/a", Target("127.0.0.1", 80, False, "/a")),
        ("http://[::1]:80/a", Target("::1", 80, False, "/a")),
    ],
)
def test_an_address_says_where_a_post_goes(url: str, target: Target) -> None:
    assert target_of(url) == target


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://chat.example.com/", "localhost alone"),
        ("http://10.0.0.1/", "localhost alone"),
        ("ftp://chat.example.com/", "no https"),
        ("chat.example.com", "no https"),
        ("https://", "no https"),
        ("https://user:secret@chat.example.com/", "names and passwords"),
        ("https://chat.example.com:99999/", "Port out of range"),
        ("https://chat.example.com/\r\nHost: other", "characters"),
        ("https://chat.example.com/a b", "characters"),
        ("https://chat.example.com\\@evil.example/", "characters"),
        ("https://ch\u00e4t.example/", "characters"),
    ],
)
def test_an_address_that_nothing_is_sent_to_is_refused(url: str, why: str) -> None:
    with pytest.raises(WrongAddress, match=why):
        target_of(url)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::808:808"]
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(ip_address(address), [])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::",
    ],
)  # fmt: skip
def test_what_only_this_machine_may_reach_is_not(address: str) -> None:
    assert not is_allowed(ip_address(address), [])


def test_the_operator_may_name_networks() -> None:
    networks = [ip_network("10.0.0.0/8"), ip_network("::1/128")]
    assert is_allowed(ip_address("10.1.2.3"), networks)
    assert is_allowed(ip_address("::ffff:10.1.2.3"), networks)
    assert is_allowed(ip_address("::1"), networks)
    assert not is_allowed(ip_address("192.168.1.1"), networks)
