from typing import Any

from django import forms
from django.contrib.admin.forms import AdminPasswordChangeForm as OwnAdminPasswordChangeForm
from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.accounts import services
from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.accounts.selectors import role_of

ROLES = [(role.value, role.label.capitalize()) for role in Role]
ROLE_HELP = (
    "A viewer reads; an editor makes releases; a release manager also approves, publishes, rolls back and "
    "writes cache rules; an administrator also looks after people and channels."
)


def _role_field() -> forms.ChoiceField:
    return forms.ChoiceField(choices=ROLES, help_text=ROLE_HELP)


class NewPersonForm(UserCreationForm[User]):
    role = _role_field()

    class Meta(UserCreationForm.Meta):
        model = User
        fields = ("username", "email", "first_name", "last_name")


class PersonForm(UserChangeForm[User]):
    role = _role_field()

    class Meta:
        model = User
        fields = ("email", "first_name", "last_name", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role = role_of(self.instance)
        self.initial["role"] = role.value if role else ""


class NewPasswordForm(AdminPasswordChangeForm[User]):
    """A new password for somebody else, set by `actor`; an account without one is a deactivated account."""

    def __init__(self, user: User, *args: Any, actor: User, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.actor = actor
        self.fields.pop("usable_password", None)

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002 - Django's signature
        password = self.cleaned_data["password1"]
        return services.set_password(user=self.user, password=password, actor=self.actor)


class OwnPasswordForm(OwnAdminPasswordChangeForm):
    """The admin's own "Change password", through the service, so that the audit log knows of it."""

    def save(self, commit: bool = True) -> User:  # noqa: FBT001, FBT002 - Django's signature
        password = self.cleaned_data["new_password1"]
        return services.set_password(user=self.user, password=password, actor=self.user)
