import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from assetsite.environment import Bind
from assetsite.launch.ports import Door, faults, listener_on


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_free_port_is_no_fault(free: int) -> None:
    assert faults([Door("PUBLIC_BIND", Bind("127.0.0.1", free))]) == []


def test_a_port_in_use_names_the_address_the_variable_and_who_has_it(taken: int) -> None:
    (fault,) = faults([Door("STAFF_BIND", Bind("127.0.0.1", taken))])
    assert fault.startswith(f"127.0.0.1:{taken} (STAFF_BIND) is in use by process {os.getpid()} (")


def test_both_doors_are_looked_at(taken: int) -> None:
    found = faults(
        [Door("PUBLIC_BIND", Bind("127.0.0.1", taken)), Door("STAFF_BIND", Bind("127.0.0.1", taken))]
    )
    assert ["PUBLIC_BIND" in fault for fault in found] == [True, False, True]
    assert found[-1] == "PUBLIC_BIND and STAFF_BIND name the same address."


def test_an_address_of_another_machine_is_a_fault() -> None:
    (fault,) = faults([Door("PUBLIC_BIND", Bind("192.0.2.1", 8000))])
    assert "192.0.2.1:8000 (PUBLIC_BIND) cannot be listened on" in fault


def test_a_name_that_leads_nowhere_is_a_fault() -> None:
    (fault,) = faults([Door("PUBLIC_BIND", Bind("no-such-host.invalid", 8000))])
    assert "no-such-host.invalid:8000 (PUBLIC_BIND) cannot be listened on" in fault


def test_a_port_for_the_administrator_only_is_explained(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    (fault,) = faults([Door("PUBLIC_BIND", Bind("127.0.0.1", free))])
    assert "ports below 1024" in fault


def test_a_socket_needs_a_folder_that_is_there(tmp_path: Path) -> None:
    assert faults([Door("PUBLIC_BIND", Bind(socket_path=str(tmp_path / "x.sock")))]) == []
    (fault,) = faults([Door("PUBLIC_BIND", Bind(socket_path=str(tmp_path / "missing" / "x.sock")))])
    assert "(PUBLIC_BIND)" in fault


def test_who_listens_is_not_known_where_nobody_does(
    free: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert listener_on(free) is None
    monkeypatch.setattr("assetsite.launch.ports.PROC", tmp_path)
    assert listener_on(free) is None
