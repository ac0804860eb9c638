"""The page of a rule that asks for tags says how many files carry each of them."""

from dataclasses import replace

import pytest

from apps.accounts.models import User
from apps.assets.services import ensure_assets, tag_assets
from apps.caching.defaults import EVERYTHING
from apps.caching.models import CacheRule
from apps.caching.rules import Example, Match
from apps.caching.serialisation import as_json
from apps.caching.services import add_rule
from tests.staff import staff_client

pytestmark = pytest.mark.django_db

NO_FILE = "No file carries <code>summer-sale</code> yet."


@pytest.fixture
def rule(manager: User) -> CacheRule:
    content = replace(
        EVERYTHING,
        name="Sale",
        order=300,
        match=Match(tags=("summer-sale", "hero")),
        bypass_conditions=(),
        examples=(Example(url="/sale.png", rule="sale", is_cached=True, tags=("hero",)),),
    )
    return add_rule(slug="sale", content=as_json(content), actor=manager).rule


def page(rule: CacheRule, user: User) -> str:
    return staff_client(user).get(f"/admin/caching/cacherule/{rule.pk}/change/").content.decode()


def test_it_says_how_many_files_carry_each_and_where_none_does(
    rule: CacheRule, editor: User, viewer: User
) -> None:
    ensure_assets(["a.png", "b.png"])
    tag_assets(paths=["a.png", "b.png"], add=["hero", "other"], actor=editor)
    shown = page(rule, viewer)
    assert '<a href="/admin/assets/asset/?tag=hero">2 files</a> carry <code>hero</code>.' in shown
    assert NO_FILE in shown
    assert "<code>other</code>" not in shown

    tag_assets(paths=["a.png"], add=["summer-sale"], actor=editor)
    shown = page(rule, viewer)
    assert (
        '<a href="/admin/assets/asset/?tag=summer-sale">1 file</a> carries <code>summer-sale</code>.' in shown
    )
    assert NO_FILE not in shown


def test_a_rule_that_asks_for_none_says_nothing_of_them(rule: CacheRule, manager: User, viewer: User) -> None:
    other = add_rule(
        slug="other",
        content=as_json(replace(EVERYTHING, name="Other", order=800))
        | {"examples": [{"url": "/a.png", "rule": "other", "is_cached": True}]},
        actor=manager,
    ).rule
    assert "carry" not in page(other, viewer)
    assert "rule-tags" not in page(other, viewer)
