"""The public door: hosts, what is Django's, what storage lacks, and never a query."""

import logging
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from apps.delivery.node import current_node
from tests.delivery.conftest import LARGE, SITE, TEN
from tests.delivery.doors import CLIENT, ask_middleware
from tests.serving import Published
from tests.staff import staff_client


def errors_in(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_no_request_of_a_visitor_asks_the_database(
    db: None, published: Published, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        for target in ("/", "/ten.txt", "/large.bin", "/docs", "/no", "/%00", "/-/healthz", "/-/no"):
            ask_middleware(target)
        ask_middleware("/", method="POST")
        ask_middleware("/", cookie="assetsite_session=abc")


def test_without_a_database_fixture_a_visitor_is_answered(published: Published) -> None:
    assert ask_middleware("/ten.txt").body == TEN  # pytest-django refuses any access here


def test_a_new_release_is_served_once_the_node_has_it(published: Published) -> None:
    assert ask_middleware("/ten.txt").body == TEN
    published.publish(2, SITE | {"ten.txt": b"new"})
    current_node().refresh()
    reply = ask_middleware("/ten.txt")
    assert (reply.body, reply.headers["assetsite-release"]) == (b"new", "2")


@pytest.mark.parametrize("method", ["get", "Head", "options"])
def test_rfc_9110_9_1_a_method_counts_as_it_is_spelled(published: Published, method: str) -> None:
    assert ask_middleware("/ten.txt", method=method).status == 405


def test_an_unknown_host_is_told_what_to_set(published: Published) -> None:
    reply = ask_middleware("/", host="elsewhere.example.com")
    assert (reply.status, reply.headers["cache-control"]) == (404, "no-store")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert b"elsewhere.example.com" in reply.body
    assert b"CHANNEL_HOSTS" in reply.body


def test_rfc_9112_3_2_2_the_authority_of_a_target_decides_before_host(
    published: Published, settings: Settings
) -> None:
    assert ask_middleware("http://elsewhere.example.com/").status == 404
    assert ask_middleware("http://localhost:81/ten.txt", host="elsewhere.example.com").body == TEN


def test_a_star_serves_every_host(published: Published, settings: Settings) -> None:
    settings.CHANNEL_HOSTS = {"*": "production"}
    assert ask_middleware("/ten.txt", host="elsewhere.example.com").body == TEN


def test_nothing_published_yet_is_503_with_the_next_step(storage_folder: Path) -> None:
    reply = ask_middleware("/")
    assert (reply.status, reply.headers["cache-control"], reply.headers["retry-after"]) == (
        503,
        "no-store",
        "5",
    )
    assert b"scripts/manage import" in reply.body
    head = ask_middleware("/", method="HEAD")
    assert (head.headers, head.body) == (reply.headers, b"")


@pytest.mark.parametrize(("target", "content"), [("/ten.txt", TEN), ("/large.bin", LARGE)])
@pytest.mark.parametrize("damage", [b"", b"short", None], ids=["empty", "short", "gone"])
def test_a_blob_that_is_not_whole_is_503_and_logged(
    published: Published, caplog: pytest.LogCaptureFixture, target: str, content: bytes, damage: bytes | None
) -> None:
    blob = published.blob(content)
    blob.unlink()
    if damage is not None:
        blob.write_bytes(damage)
    reply = ask_middleware(target)
    assert (reply.status, reply.headers["cache-control"], reply.headers["retry-after"]) == (
        503,
        "no-store",
        "5",
    )
    assert len(errors_in(caplog)) == 1
    assert "etag" not in reply.headers


def test_a_manifest_that_cannot_be_read_any_more_is_503(published: Published) -> None:
    assert ask_middleware("/ten.txt").status == 200
    current_node().live["production"].reader.close()
    assert ask_middleware("/large.bin").status == 503
    assert ask_middleware("/ten.txt", method="HEAD").body == b""


@pytest.mark.parametrize("target", ["/-/unknown", "/-/", "/library/", "/library/x/", "/-/../admin/"])
def test_what_is_djangos_and_not_there_is_plain_and_not_kept(published: Published, target: str) -> None:
    published.publish(2, SITE | {"404.html": b"<h1>Gone fishing</h1>"})
    reply = ask_middleware(target)
    assert (reply.status, reply.headers["cache-control"]) == (404, "no-store")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"


def test_what_fails_behind_the_public_door_is_plain(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("apps.observability.views.current_node", fail)
    client = Client(raise_request_exception=False)
    response = client.get("/-/readyz", headers={"host": "localhost"})
    assert (response.status_code, response.headers["cache-control"]) == (500, "no-store")
    assert response.content == b"Something went wrong here. The operator's log says what.\n"


@pytest.mark.parametrize(
    "host", ["a b", "localhost, other", "me@localhost", "localhost/", "localhost:x", "[::1"]
)
@pytest.mark.parametrize("target", ["/", "/-/healthz", "http://localhost/"])
def test_rfc_9112_3_2_a_host_that_is_no_host_is_refused_in_plain_words(
    published: Published, caplog: pytest.LogCaptureFixture, target: str, host: str
) -> None:
    reply = ask_middleware(target, host=host)
    assert (reply.status, reply.headers["cache-control"]) == (400, "no-store")
    assert ask_middleware(target, host=host, method="HEAD").body == b""
    assert not errors_in(caplog)


@pytest.mark.parametrize("path", ["/", "/-/healthz"])
def test_rfc_9112_3_2_http_1_1_has_to_name_a_host(
    published: Published, settings: Settings, path: str
) -> None:
    settings.CHANNEL_HOSTS = {"*": "production"}
    assert CLIENT.get(path).status_code == 400
    assert CLIENT.get(path, SERVER_PROTOCOL="HTTP/1.0").status_code == 200


def test_the_staff_door_refuses_a_host_that_is_none() -> None:
    assert staff_client().get("/admin/", headers={"host": "a b"}).status_code == 400


def test_a_server_that_keeps_no_raw_target_is_served_too(published: Published) -> None:
    assert CLIENT.get("/ten.txt", headers={"host": "localhost"}).getvalue() == TEN
    response = CLIENT.get("/caf%C3%A9/menu ü.txt", headers={"host": "localhost"})
    assert response.getvalue() == b"coffee"


def test_a_404_of_a_visitor_is_no_line_in_the_log(
    published: Published, caplog: pytest.LogCaptureFixture
) -> None:
    ask_middleware("/no")
    assert not errors_in(caplog)


def test_the_staff_door_serves_djangos_static_files_and_no_assets(db: None, published: Published) -> None:
    client = staff_client()
    assert client.get("/static/admin/css/base.css").status_code == 200
    assert client.get("/ten.txt").status_code == 404
    assert client.get("/", follow=True).redirect_chain[0][0] == "/admin/"
