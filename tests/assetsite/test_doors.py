"""The doors: only the listener says which one a request came in by, and a doubt is a visitor."""

import socket
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from assetsite.doors import Door, door_of
from assetsite.environment import parse_bind
from assetsite.staff_socket import StaffSocket
from tests.staff import staff_client


class Connection:
    """As much of a connection as gunicorn hands over."""

    def __init__(self, name: Any) -> None:
        self.getsockname = lambda: name


def door(name: Any, *, staff: str, public: str = "127.0.0.1:8000", **environ: Any) -> Door:
    known = StaffSocket.between(staff=parse_bind(staff), public=parse_bind(public))
    return door_of({"gunicorn.socket": Connection(name), **environ}, staff=known)


@pytest.mark.parametrize(
    ("name", "staff", "public", "expected"),
    [
        (("127.0.0.1", 8001), "127.0.0.1:8001", "127.0.0.1:8000", Door.STAFF),
        (("127.0.0.1", 8000), "127.0.0.1:8001", "127.0.0.1:8000", Door.PUBLIC),
        (("10.0.0.9", 8001), "0.0.0.0:8001", "0.0.0.0:8000", Door.STAFF),
        (("10.0.0.9", 8000), "0.0.0.0:8001", "0.0.0.0:8000", Door.PUBLIC),
        (("::1", 8001, 0, 0), "[::1]:8001", "[::1]:8000", Door.STAFF),
        (("::ffff:127.0.0.1", 8001, 0, 0), "[::]:8001", "[::]:8000", Door.STAFF),
        (("127.0.0.1", 8001), "localhost:8001", "localhost:8000", Door.STAFF),
        # One port on two addresses: the address decides.
        (("127.0.0.2", 8000), "127.0.0.2:8000", "127.0.0.1:8000", Door.STAFF),
        (("127.0.0.1", 8000), "127.0.0.2:8000", "127.0.0.1:8000", Door.PUBLIC),
        (("10.0.0.9", 8000), "127.0.0.2:8000", "127.0.0.1:8000", Door.PUBLIC),
        # Unix sockets
        ("/run/staff.sock", "unix:/run/staff.sock", "127.0.0.1:8000", Door.STAFF),
        ("/run/staff.sock", "unix:///run/staff.sock", "unix:/run/public.sock", Door.STAFF),
        ("/run/public.sock", "unix:/run/staff.sock", "unix:/run/public.sock", Door.PUBLIC),
        (b"/run/staff.sock", "unix:/run/staff.sock", "unix:/run/public.sock", Door.STAFF),
        (("127.0.0.1", 8001), "unix:/run/staff.sock", "127.0.0.1:8000", Door.PUBLIC),
        ("/run/public.sock", "127.0.0.1:8001", "unix:/run/public.sock", Door.PUBLIC),
        ("", "unix:/run/staff.sock", "127.0.0.1:8000", Door.PUBLIC),
    ],
)
def test_the_listener_says_which_door_it_is(name: Any, staff: str, public: str, expected: Door) -> None:
    assert door(name, staff=staff, public=public) is expected


@pytest.mark.parametrize(
    ("staff", "public"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("localhost:8000", "127.0.0.1:8000"),
        ("127.0.0.1:8000", "0.0.0.0:8000"),
        ("[::]:8000", "127.0.0.1:8000"),
        ("unix:/run/one.sock", "unix:/run/one.sock"),
    ],
)
def test_doors_that_cannot_be_told_apart_are_refused(staff: str, public: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="would be one door"):
        StaffSocket.between(staff=parse_bind(staff), public=parse_bind(public))


@given(
    st.dictionaries(
        st.sampled_from(
            ["HTTP_HOST", "HTTP_ASSETSITE_DOOR", "HTTP_X_FORWARDED_PORT", "SERVER_NAME", "SERVER_PORT"]
        ),
        st.sampled_from(["8001", "127.0.0.1:8001", "staff", "localhost"]),
    )
)
def test_what_a_request_says_never_opens_the_staff_door(said: dict[str, str]) -> None:
    assert door(("127.0.0.1", 8000), staff="127.0.0.1:8001", **said) is Door.PUBLIC
    assert door("/run/public.sock", staff="127.0.0.1:8001", **said) is Door.PUBLIC


def test_a_real_connection_knows_its_listener(tmp_path: Path) -> None:
    path = str(tmp_path / "staff.sock")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(path)
        listener.listen(1)
        client.connect(path)
        accepted, _ = listener.accept()
        with accepted:
            known = StaffSocket.between(staff=parse_bind(f"unix:{path}"), public=parse_bind("127.0.0.1:8000"))
            assert door_of({"gunicorn.socket": accepted}, staff=known) is Door.STAFF


@pytest.mark.parametrize(
    ("staff", "port", "expected"),
    [
        ("127.0.0.1:8001", "8001", Door.STAFF),
        ("127.0.0.1:8001", "8000", Door.PUBLIC),
        ("127.0.0.2:8000", "8000", Door.PUBLIC),  # the port alone does not say
        ("unix:/run/staff.sock", "0", Door.PUBLIC),
        ("unix:/run/staff.sock", "", Door.PUBLIC),
    ],
)
def test_of_a_server_that_hands_no_connection_over_the_port_counts(
    staff: str, port: str, expected: Door
) -> None:
    known = StaffSocket.between(staff=parse_bind(staff), public=parse_bind("127.0.0.1:8000"))
    assert door_of({"SERVER_PORT": port}, staff=known) is expected


def test_the_staff_door_answers_only_under_its_own_names() -> None:
    response = staff_client().get("/-/healthz", headers={"host": "visitors.example.com"})
    assert (response.status_code, response.headers["cache-control"]) == (400, "no-store")
    assert b"STAFF_URL" in response.content
    assert staff_client().get("/-/healthz", headers={"host": "127.0.0.1:8001"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"), [("/", 302), ("/admin", 301), ("/nothing", 404), ("/admin/", 302)]
)
def test_no_cache_keeps_what_the_staff_door_answers(path: str, status: int) -> None:
    response = staff_client().get(path)
    assert response.status_code == status
    assert "no-store" in response.headers["cache-control"]


def test_a_request_whose_door_is_not_known_is_a_visitors() -> None:
    client = Client(headers={"host": "localhost"})
    assert client.get("/-/healthz").status_code == 200
    assert client.get("/-/admin/").status_code == 404
