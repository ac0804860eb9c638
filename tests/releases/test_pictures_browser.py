"""Two pictures in a browser: side by side; with script swiped over each other, or their difference."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from apps.accounts.models import User
from tests.releases.conftest import Publish
from tests.releases.test_admin_browser import Answer, Door, browser  # noqa: F401 - a fixture
from tests.releases.test_admin_comparison import image, put_bytes
from tests.staff import staff_client

pytestmark = pytest.mark.browser

FILE = "/admin/releases/release/compare/file/?old=1&new=2&path=img/a.png"


@pytest.fixture
def door(publish: Publish, viewer: User) -> Door:
    """The page of a picture that was red and is blue."""
    publish(put_bytes("img/a.png", image("PNG", "red", (40, 20))))
    publish(put_bytes("img/a.png", image("PNG", "blue", (40, 20))))
    client = staff_client(viewer)
    page = client.get(FILE)
    answers = [Answer(FILE, page.content, dict(page.headers))]
    for address in (page.context["old_url"], page.context["new_url"]):
        picture = client.get(address)
        answers.append(Answer(address, picture.getvalue(), dict(picture.headers)))
    return Door(answers)


@pytest.fixture
def shown(door: Door, browser: Browser) -> Iterator[Page]:  # noqa: F811
    page = browser.new_page()
    page.route("**/*", door)
    page.goto(f"http://localhost{FILE}")
    yield page
    page.close()


def colour_at(page: Page, x: int) -> tuple[int, ...]:
    """Return the colour of the overlay, `x` pixels from its left."""
    shot = page.locator(".overlay").screenshot()
    return tuple(
        page.evaluate(
            """async ([bytes, x]) => {
                const picture = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
                const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
                canvas.drawImage(picture, 0, 0);
                return [...canvas.getImageData(x, 10, 1, 1).data].slice(0, 3);
            }""",
            [list(shot), x],
        )
    )


RED, BLUE, BOTH = (255, 0, 0), (0, 0, 255), (255, 0, 255)


def test_they_are_swiped_over_each_other_by_the_keyboard(shown: Page) -> None:
    assert shown.get_by_role("radio", name="Side by side").is_checked()
    assert not shown.locator(".overlay").is_visible()
    shown.get_by_role("radio", name="Side by side").focus()
    shown.keyboard.press("ArrowRight")
    assert (colour_at(shown, 5), colour_at(shown, 35)) == (RED, BLUE)
    slider = shown.get_by_role("slider")
    slider.focus()
    shown.keyboard.press("End")
    assert colour_at(shown, 35) == RED
    shown.keyboard.press("Home")
    assert colour_at(shown, 5) == BLUE


def test_their_difference_is_what_shines(shown: Page) -> None:
    shown.get_by_role("radio", name="Difference").check()
    assert colour_at(shown, 20) == BOTH
    assert not shown.get_by_role("slider").is_visible()
    shown.get_by_role("radio", name="Side by side").check()
    assert not shown.locator(".overlay").is_visible()
    assert shown.locator("figure").count() == 2


def test_without_script_they_stand_side_by_side(door: Door, browser: Browser) -> None:  # noqa: F811
    context = browser.new_context(java_script_enabled=False)
    context.route("**/*", door)
    page = context.new_page()
    page.goto(f"http://localhost{FILE}")
    old, new = (page.locator(f".picture-{side} img").bounding_box() for side in ("old", "new"))
    assert old
    assert new
    assert old["y"] == new["y"]
    assert old["x"] < new["x"]
    assert page.get_by_role("radio").count() == 0
