from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from django.conf import settings
from django.urls import reverse

from apps.accounts.models import User
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.models import CacheRuleVersion
from apps.caching.serialisation import as_json
from apps.caching.services import ensure_default_rules
from tests.staff import staff_client

type Shipped = list[CacheRuleVersion]


@pytest.fixture
def shipped(administrator: User) -> Shipped:
    """The rules that ship with the program, owned by the administrator."""
    return ensure_default_rules(owner=administrator)


@pytest.fixture
def content() -> dict[str, Any]:
    """What the rule "everything" says, as JSON, ready to be changed."""
    return as_json(DEFAULT_RULES["everything"])


class Page(NamedTuple):
    status: int
    text: str


type StaffPage = Callable[..., Page]


@pytest.fixture
def staff_page() -> StaffPage:
    """Return a function that loads an admin page by its URL's name, as a user, through the staff door."""

    def load(user: User, name: str, *args: object, **query: str) -> Page:
        address = reverse(name, urlconf=settings.STAFF_URLCONF, args=args)
        response = staff_client(user).get(address, query)
        return Page(response.status_code, response.content.decode())

    return load
