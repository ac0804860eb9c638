"""103 Early Hints (RFC 8297): who gets them, and that who does not know them gets his page all the same."""

import shutil
import subprocess

import pytest
from playwright.sync_api import Browser

from tests.delivery.conftest import PAGE, SITE, STYLE
from tests.delivery.doors import Answered, Live, ServerDoor, read_answers

LINK = "</css/site.css>; rel=preload; as=style"
ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
CLOSE = b"Connection: close\r\n\r\n"


@pytest.fixture(params=["worker"])
def door(request: pytest.FixtureRequest) -> ServerDoor:
    found: ServerDoor = request.getfixturevalue(f"{request.param}_door")
    return found


@pytest.fixture
def hinting(door: ServerDoor, empty_site: Live) -> ServerDoor:
    """A channel that wants hints, with a page whose critical asset is known."""
    empty_site.publish(1, SITE, links={"index.html": LINK})
    empty_site.set_options(early_hints=True)
    return door


def exchange(door: ServerDoor, sent: bytes) -> list[Answered]:
    return read_answers(door.server.exchange(sent), sent)


def test_2_hints_come_before_the_page_and_say_what_it_says(hinting: ServerDoor) -> None:
    for _ in range(2):  # the second time its bytes are in memory
        hints, page = exchange(hinting, ASK + CLOSE)
        assert (hints.status, hints.fields) == (103, [("Link", LINK)])
        assert (page.status, page.body, page.all_of("link")) == (200, PAGE, [LINK])


def test_hints_stay_with_their_answer_on_a_connection_that_is_kept(hinting: ServerDoor) -> None:
    other = b"GET /ten.txt HTTP/1.1\r\nHost: localhost\r\n"
    answers = exchange(hinting, ASK + b"\r\n" + other + b"\r\n" + ASK + CLOSE)
    assert [answer.status for answer in answers] == [103, 200, 200, 103, 200]


@pytest.mark.parametrize(
    "sent",
    [
        ASK.replace(b"HTTP/1.1", b"HTTP/1.0"),
        ASK + b"If-None-Match: *\r\n",
        ASK + b"Range: bytes=0-1\r\n",
        ASK.replace(b"/ ", b"/docs/ "),
        ASK.replace(b"/ ", b"/no "),
    ],
    ids=["HTTP/1.0", "not modified", "a part", "a page without a link", "no page"],
)
def test_2_no_other_answer_has_hints(hinting: ServerDoor, sent: bytes) -> None:
    (answer,) = exchange(hinting, sent + CLOSE)
    assert answer.status in (200, 206, 304, 404)


def test_a_channel_that_does_not_ask_for_them_has_none(door: ServerDoor, empty_site: Live) -> None:
    empty_site.publish(1, SITE, links={"index.html": LINK})
    (page,) = exchange(door, ASK + CLOSE)
    assert (page.status, page.all_of("link")) == (200, [LINK])


@pytest.mark.parametrize("door", ["threads"], indirect=True)
def test_gunicorns_plain_worker_has_none(hinting: ServerDoor) -> None:
    (page,) = exchange(hinting, ASK + CLOSE)
    assert (page.status, page.all_of("link")) == (200, [LINK])


def test_curl_takes_the_page_for_the_answer(hinting: ServerDoor) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is missing")
    url = f"http://127.0.0.1:{hinting.server.public_port}/"
    done = subprocess.run([curl, "-sS", "-w", "%{http_code}", url], capture_output=True, check=True)
    assert done.stdout == PAGE + b"200"


def test_chromium_shows_the_page_and_loads_its_style_sheet_once(
    hinting: ServerDoor, browser: Browser
) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    origin = f"http://127.0.0.1:{hinting.server.public_port}"
    with page.expect_response(f"{origin}/css/site.css") as style:
        shown = page.goto(f"{origin}/")
    assert shown is not None
    assert (shown.status, page.title(), style.value.body()) == (200, "Home", STYLE)
    assert asked.count(f"{origin}/css/site.css") == 1
    page.close()
