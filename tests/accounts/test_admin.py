import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.accounts.selectors import role_of
from apps.audit.models import AuditEntry
from tests.conftest import MakeUser
from tests.staff import staff_client

LIST = "/admin/accounts/user/"
PASSWORD = "harbour-lantern-42"


@pytest.fixture
def client(administrator: User) -> Client:
    return staff_client(administrator)


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("sequence").values_list("action", flat=True))


def save(client: Client, user: User, **fields: str) -> str:
    """Send a person's page back with some fields changed; return the page that follows."""
    form = {"email": "", "first_name": "", "last_name": "", "role": role_of(user) or "", "is_active": "on"}
    sent = {name: value for name, value in {**form, **fields}.items() if value != "off"}
    return client.post(f"{LIST}{user.pk}/change/", sent, follow=True).content.decode()


def test_an_administrator_adds_a_person(client: Client) -> None:
    sent = {
        "username": "nina",
        "role": "editor",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "email": "",
        "first_name": "Nina",
        "last_name": "",
    }
    page = client.post(f"{LIST}add/", sent, follow=True).content.decode()
    user = User.objects.get(username="nina")
    assert "was added successfully" in page
    assert (user.is_staff, role_of(user), user.check_password(PASSWORD)) == (True, Role.EDITOR, True)
    assert actions() == ["user.add"]


def test_each_kind_of_change_goes_through_its_service(client: Client, editor: User) -> None:
    save(client, editor, email="eva@example.com", role="manager", is_active="off")
    changed = User.objects.get(pk=editor.pk)
    assert (changed.email, role_of(changed), changed.is_active) == ("eva@example.com", Role.MANAGER, False)
    assert actions() == ["user.edit", "user.change_role", "user.deactivate"]
    save(client, changed)
    assert actions()[3:] == ["user.edit", "user.reactivate"]


def test_saving_without_a_change_writes_nothing(client: Client, editor: User) -> None:
    save(client, editor)
    assert actions() == []


def test_a_refusal_is_shown_as_a_message_and_nothing_is_saved(client: Client, administrator: User) -> None:
    page = save(client, administrator, role="viewer", email="new@example.com")
    assert "You cannot change your own role. Ask another administrator." in page
    assert User.objects.get(pk=administrator.pk).email == ""
    assert actions() == []


def test_groups_permissions_and_superuser_are_not_offered(client: Client, editor: User) -> None:
    page = client.get(f"{LIST}{editor.pk}/change/").content.decode()
    for name in ("is_superuser", "is_staff", "groups", "user_permissions"):
        assert f'name="{name}"' not in page
    save(client, editor, is_superuser="on", groups="1")
    assert not User.objects.get(pk=editor.pk).is_superuser
    assert client.get("/admin/auth/group/").status_code == 404


def test_people_are_not_deleted(client: Client, editor: User) -> None:
    assert client.post(f"{LIST}{editor.pk}/delete/", {"post": "yes"}).status_code == 403


def test_an_administrator_gives_somebody_a_new_password(client: Client, editor: User) -> None:
    editor.set_password("old" + PASSWORD)
    editor.save()
    address = f"{LIST}{editor.pk}/password/"
    assert 'name="usable_password"' not in client.get(address).content.decode()
    weak = client.post(address, {"password1": "short", "password2": "short"}).content.decode()
    assert "too short" in weak
    client.post(address, {"password1": PASSWORD, "password2": PASSWORD})
    assert User.objects.get(pk=editor.pk).check_password(PASSWORD)
    assert actions() == ["user.set_password"]


def test_a_person_changes_their_own_password(viewer: User) -> None:
    viewer.set_password(PASSWORD)
    viewer.save()
    new = PASSWORD + "!"
    sent = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert staff_client(viewer).post("/admin/password_change/", sent).status_code == 302
    assert User.objects.get(pk=viewer.pk).check_password(new)
    assert AuditEntry.objects.get().summary == "Changed their own password."


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR, Role.MANAGER])
def test_other_roles_do_not_see_people(make_user: MakeUser, role: Role) -> None:
    assert staff_client(make_user("someone", role)).get(LIST).status_code == 403


def test_the_list_takes_as_many_queries_for_many_people_as_for_one(
    client: Client, make_user: MakeUser
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(LIST).status_code == 200
        return len(captured)

    few = queries()
    for n in range(20):
        make_user(f"person{n}")
    User.objects.create(username="nobody")
    assert queries() == few
