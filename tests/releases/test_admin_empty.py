"""Where nothing has happened yet each list says what to do first, and a search that it has found nothing."""

import re

import pytest
from django.contrib import admin
from django.db.models import Model

from apps.accounts.models import User
from apps.releases.models import Channel
from tests.staff import staff_client

EMPTY = re.compile(r'<p class="empty">(.*?)</p>', re.DOTALL)
LISTS = [
    *("assets/asset", "assets/assetversion", "audit/auditentry", "caching/cacherule", "jobs/job"),
    *("notifications/webhook", "releases/channel", "releases/release"),
]


def said(page: str, user: User, **asked: str) -> str:
    answer = staff_client(user).get(f"/admin/{page}", asked)
    assert answer.status_code == 200
    (words,) = EMPTY.findall(answer.content.decode())
    return " ".join(words.split())


@pytest.mark.parametrize("name", LISTS)
def test_a_list_with_nothing_in_it_says_what_to_do_first(name: str, administrator: User) -> None:
    words = said(f"{name}/", administrator)
    assert re.match(r"(No|Nothing) [a-z ]+(yet|\.)", words)
    assert "<code>scripts/" in words


@pytest.mark.parametrize("name", sorted({*LISTS} - {"notifications/webhook", "releases/channel"}))
def test_a_search_that_finds_nothing_leads_back_to_all(name: str, administrator: User) -> None:
    words = said(f"{name}/", administrator, q="zzz")
    assert re.fullmatch(r'(No release|Nothing) fits\. <a href="\?[^"]*">Show all</a>', words)


def test_every_list_that_staff_may_see_is_among_these(administrator: User) -> None:
    client = staff_client(administrator)

    def is_seen(model: type[Model]) -> bool:
        return client.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/").status_code == 200

    seen = {f"{model._meta.app_label}/{model._meta.model_name}" for model in admin.site._registry}
    hidden = {"django_tasks_database/dbtaskresult"}
    assert seen - hidden == {*LISTS, "accounts/user"}  # whoever looks is one
    assert not any(
        is_seen(model) for model in admin.site._registry if model._meta.app_label.startswith("django")
    )


def test_a_channel_without_a_publication_leads_to_the_first(production: Channel, viewer: User) -> None:
    changelog = f"releases/channel/{production.pk}/changelog/"
    assert said(changelog, viewer).startswith(
        'Nothing was published yet. <a href="/admin/releases/release/">'
    )
    page = staff_client(viewer).get(f"/admin/releases/channel/{production.pk}/change/").content.decode()
    assert "Import a folder, then publish its release" in page
