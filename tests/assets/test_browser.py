"""The pages on which files are tagged in a browser: usable by everybody, and within the pages' policy."""

from typing import Literal

import pytest
from playwright.sync_api import Browser

from apps.accounts.models import User
from apps.assets.services import ensure_assets, tag_assets
from tests.assets.conftest import AddFile
from tests.releases.test_admin_browser import Answer, Door, answer_of, faults_of
from tests.staff import staff_client

pytestmark = pytest.mark.browser

LIST = "/admin/assets/asset/"


@pytest.fixture
def script(editor: User) -> Answer:
    """What the admin's list asks for, where there are actions."""
    return answer_of(editor, "/admin/jsi18n/")


@pytest.fixture
def answers(editor: User, viewer: User, add_file: AddFile) -> list[Answer]:
    """These pages, in the states that have most on them."""
    empty = answer_of(editor, f"{LIST}tags/?when=empty")
    long = f"{'long/' * 30}picture.png"
    add_file("img/hero.png", b"a picture")
    pk = ensure_assets([long, "img/hero.png"])
    act = tag_assets(paths=[long, "img/hero.png"], add=["x" * 60, "hero"], reason="why " * 200, actor=editor)
    tag_assets(paths=["img/hero.png"], add=[f"t{n}" for n in range(20)], remove=["hero"], actor=editor)
    assert act
    one = f"{LIST}{pk['img/hero.png']}/"
    wrong = staff_client(editor).post(f"{one}tag/", {"add": "ä", "remove": ["t1"]})
    return [
        empty,
        answer_of(editor, LIST),
        answer_of(editor, f"{LIST}?tag=hero&q=long"),
        answer_of(editor, f"{LIST}tag/"),
        answer_of(editor, f"{LIST}tags/"),
        answer_of(editor, f"{LIST}tags/{act.pk}/"),
        answer_of(editor, f"{one}change/"),
        answer_of(viewer, f"{one}change/?as=viewer"),
        answer_of(viewer, f"{LIST}{pk[long]}/change/"),
        Answer("/wrong/", wrong.content, dict(wrong.headers)),
    ]


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_every_page_can_be_used_by_everybody_and_obeys_its_policy(
    answers: list[Answer], script: Answer, browser: Browser, width: int, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.route("**/*", Door([*answers, script]))

    faults = {answer.address: faults_of(context.new_page(), answer.address) for answer in answers}

    assert {address: said for address, said in faults.items() if said} == {}
