from copy import copy
from functools import partial
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from apps.accounts import services
from apps.accounts.forms import NewPasswordForm, NewPersonForm, OwnPasswordForm, PersonForm
from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.accounts.selectors import role_of
from apps.accounts.staff_pages import actor_of
from apps.refusals import Refusal

# What a role may do is written in the code (`roles`), so nobody edits groups by hand.
admin.site.unregister(Group)
admin.site.password_change_form = OwnPasswordForm


@admin.register(User)
class PersonAdmin(UserAdmin[User]):
    """People and their roles. Django's own pages, with every write through a service."""

    form = PersonForm
    add_form = NewPersonForm
    list_display = ("username", "full_name", "role", "is_active", "last_login")
    list_filter = ("groups", "is_active")
    search_fields = ("username", "first_name", "last_name", "email")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("What they may do", {"fields": ("role", "is_active")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "role", "password1", "password2")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return ("username", "last_login", "date_joined") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False  # what somebody did keeps their name: people are deactivated

    @admin.display(description="name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    @admin.display(description="role")
    def role(self, user: User) -> str:
        role = role_of(user)
        return role.label if role else "no role"

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Refusal as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        # Django builds the form without the request; a copy of this admin knows who acts.
        bound = copy(self)
        bound.change_password_form = cast("Any", partial(NewPasswordForm, actor=actor_of(request)))
        return UserAdmin.user_change_password(bound, request, id, form_url)

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:  # noqa: FBT001
        actor = actor_of(request)
        if change:
            _save_changes(User.objects.get(pk=obj.pk), form, actor)
        else:
            obj.pk = _add(form.cleaned_data, actor).pk


def _add(data: dict[str, Any], actor: User) -> User:
    return services.add_user(
        username=data["username"],
        role=Role(data["role"]),
        password=data["password1"],
        email=data["email"],
        first_name=data["first_name"],
        last_name=data["last_name"],
        actor=actor,
    )


def _save_changes(user: User, form: ModelForm[User], actor: User) -> None:
    changed, data = set(form.changed_data), form.cleaned_data
    if changed & {"email", "first_name", "last_name"}:
        services.edit_user(
            user=user,
            actor=actor,
            email=data["email"],
            first_name=data["first_name"],
            last_name=data["last_name"],
        )
    if "role" in changed:
        services.change_role(user=user, role=Role(data["role"]), actor=actor)
    if "is_active" in changed:
        (services.reactivate if data["is_active"] else services.deactivate)(user=user, actor=actor)
