"""A POST to an address that somebody typed: to one address, once, and over when its time is."""

import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from unittest import mock

import pytest

from apps.notifications.exceptions import WrongAddress
from apps.notifications.posting import NotDelivered, post, tls_context
from tests.notifications.receivers import Receiver, closed_port

LOCAL = [ip_network("127.0.0.0/8")]


def send(url: str, *, seconds: float = 10.0) -> int:
    return post(url, b'{"a":1}', {"X-Test": "1"}, networks=LOCAL, seconds=seconds)


def test_it_returns_the_status_and_sends_headers_and_bytes(receiver: Receiver) -> None:
    receiver.status = 204
    assert send(receiver.url) == 204
    (posted,) = receiver.posted
    assert (posted.path, posted.body) == ("/hook?from=here", b'{"a":1}')
    assert posted.headers["X-Test"] == "1"
    assert posted.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert posted.headers["Connection"] == "close"


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status = 302
    assert send(receiver.url) == 302
    assert [posted.path for posted in receiver.posted] == ["/hook?from=here"]


def test_a_network_that_is_not_allowed_is_not_called(receiver: Receiver) -> None:
    with pytest.raises(NotDelivered, match=r"127\.0\.0\.1, to which nothing is sent"):
        post(receiver.url, b"", {}, networks=[])
    assert receiver.posted == []


def test_the_address_that_was_looked_at_is_the_one_that_is_called(receiver: Receiver) -> None:
    """A name that points elsewhere at a second look (DNS rebinding) gains nothing by it."""
    looks = mock.Mock(side_effect=[[(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))]])
    with mock.patch("socket.getaddrinfo", looks), mock.patch("socket.create_connection") as connect:
        connect.side_effect = ConnectionRefusedError("no")
        with pytest.raises(NotDelivered, match="ConnectionRefusedError"):
            send("http://localhost:8000/")
    assert connect.call_args.args[0] == ("127.0.0.1", 8000)
    assert looks.call_count == 1


def test_plain_http_reaches_this_machine_alone() -> None:
    elsewhere = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 80))]
    with mock.patch("socket.getaddrinfo", return_value=elsewhere), pytest.raises(NotDelivered, match="93"):
        send("http://localhost/")


def test_nobody_there_is_said(receiver: Receiver) -> None:
    with pytest.raises(NotDelivered, match="ConnectionRefusedError"):
        send(f"http://127.0.0.1:{closed_port()}/")
    unknown = mock.patch("socket.getaddrinfo", side_effect=OSError("unknown"))
    with unknown, pytest.raises(NotDelivered, match="There is no host localhost"):
        send("http://localhost/")
    with pytest.raises(WrongAddress):
        send("ftp://localhost/")


def test_an_answer_that_drips_is_cut_off(receiver: Receiver) -> None:
    ended = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        try:
            while not ended.wait(0.05):
                handler.wfile.write(b"H")
        except OSError:
            ended.set()

    receiver.answer = drip
    try:
        with pytest.raises(NotDelivered, match="No answer within 1 s"):
            send(receiver.url, seconds=1)
    finally:
        ended.set()


def test_an_answer_that_is_no_http_is_said(receiver: Receiver) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"SSH-2.0-x\r\n")

    receiver.answer = answer
    with pytest.raises(NotDelivered, match="BadStatusLine"):
        send(receiver.url)


def test_silence_is_no_answer_within_its_time(receiver: Receiver) -> None:
    ended = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        ended.wait()

    receiver.answer = answer
    try:
        with pytest.raises(NotDelivered, match="No answer within 1 s"):
            send(receiver.url, seconds=1)
    finally:
        ended.set()
    with pytest.raises(NotDelivered, match="No answer within 0 s"):
        send(receiver.url, seconds=0)


def test_tls_proves_who_answers(receiver: Receiver) -> None:
    assert tls_context().verify_mode is ssl.CERT_REQUIRED
    assert tls_context().check_hostname
    with pytest.raises(NotDelivered, match=r"SSL|WRONG_VERSION|record"):
        send(f"https://127.0.0.1:{receiver.port}/")
    assert receiver.posted == []
