import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assetsite.environment import Bind, parse_channel_hosts
from assetsite.launch.addresses import is_ready, public_url

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is asked here, nobody listens there


@pytest.mark.parametrize(
    ("bind", "hosts", "url"),
    [
        (Bind("127.0.0.1", 8000), "production=127.0.0.1,localhost", "http://localhost:8000/"),
        (Bind(EVERYWHERE, 80), "production=www.example.com,example.com", "http://www.example.com/"),
        (Bind("::", 8080), "production=*;staging=s.example.com", "http://localhost:8080/"),
        (Bind(socket_path="/run/a.sock"), "production=localhost", "unix:/run/a.sock"),
    ],
)
def test_the_public_address_is_one_that_a_browser_here_can_open(bind: Bind, hosts: str, url: str) -> None:
    assert public_url(bind, parse_channel_hosts(hosts), channel="production") == url


@contextmanager
def answering(listener: socket.socket, status: bytes) -> Iterator[None]:
    """Answer one request with `status`."""

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    yield
    thread.join()


@pytest.mark.parametrize(("status", "is_it"), [(b"200 OK", True), (b"503 Service Unavailable", False)])
def test_the_site_is_ready_when_it_says_so(status: bytes, is_it: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, answering(listener, status):
        assert is_ready(Bind(EVERYWHERE, listener.getsockname()[1])) is is_it


def test_readiness_can_be_asked_over_a_socket_file(tmp_path: Path) -> None:
    file = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(file)
        listener.listen()
        with answering(listener, b"200 OK"):
            assert is_ready(Bind(socket_path=file))


def test_where_nobody_listens_the_site_is_not_ready(tmp_path: Path) -> None:
    assert not is_ready(Bind(socket_path=str(tmp_path / "nobody")))


def test_what_does_not_speak_http_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, answering(listener, b"\0"):
        assert not is_ready(Bind("127.0.0.1", listener.getsockname()[1]))
