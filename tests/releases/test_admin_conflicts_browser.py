"""The pages of conflicts and of what is made of releases, in a browser: see `test_admin_browser`."""

import os
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from apps.accounts.models import User
from apps.releases.models import Channel, Release
from tests.releases.conftest import MakeRelease, put, remove
from tests.releases.test_admin_browser import Answer, Door, answer_of, browser, faults_of  # noqa: F401
from tests.releases.test_admin_conflicts import behind, one  # noqa: F401
from tests.releases.test_admin_releases import page
from tests.releases.test_promoting import Stage, stage, staging  # noqa: F401

pytestmark = pytest.mark.browser


@pytest.fixture
def pages(
    behind: Release,  # noqa: F811
    stage: Stage,  # noqa: F811
    staging: Channel,  # noqa: F811
    production: Channel,
    make_release: MakeRelease,
    editor: User,
) -> list[Answer]:
    """Each page, in the state that has most on it."""
    summer = make_release(put("css/site.css", "b {}\n"), put(f"{'x' * 100}.txt", "x"), title="Summer")
    autumn = make_release(put("css/site.css", "c {}\n"), remove("index.html"), title="Autumn " * 15)
    stage(put("css/site.css", "z {}"))
    assert behind.base
    addresses = [
        page(behind),
        page(behind, "conflicts"),
        one(behind, "clash.txt"),
        one(behind, "img/new.png"),
        page(behind.base, "revert"),
        f"{page(summer, 'combine')}?with={autumn.pk}",
        page(summer, "split"),
        f"/admin/releases/channel/{production.pk}/promote/",
    ]
    return [answer_of(editor, address) for address in addresses]


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_they_can_be_used_by_everybody_and_obey_their_policy(
    pages: list[Answer],
    browser: Browser,  # noqa: F811
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.route("**/*", Door(pages))
    faults = {}
    for number, answer in enumerate(pages):
        tab = context.new_page()
        faults[answer.address] = faults_of(tab, answer.address)
        if folder := os.environ.get("SCREENSHOTS"):
            tab.screenshot(path=Path(folder) / f"{number}-{width}.png", full_page=True)

    assert {address: said for address, said in faults.items() if said} == {}
