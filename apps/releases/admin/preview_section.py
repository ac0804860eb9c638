"""The section of a release's page on its previews: who made which, until when, and how to end them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html

from apps.accounts.exceptions import WeakPassword
from apps.accounts.models import User
from apps.accounts.permissions import who_may
from apps.accounts.staff_pages import actor_of
from apps.releases.models import Preview, Release
from apps.releases.selectors.previews import (
    STATES_WITHOUT_PREVIEWS,
    address_of,
    changes_since,
    open_previews_of,
    preview_of_now,
)
from apps.releases.services.previews import open_preview

_ENDED_SHOWN = 5
_EXPIRIES = [(1, "1 day"), (7, "7 days"), (30, "30 days"), (90, "90 days")]


class PreviewForm(forms.Form):
    """What a new preview is like. It only reads; the service decides."""

    days = forms.TypedChoiceField(coerce=int, choices=_EXPIRIES, initial=7, label="It ends after")
    password = forms.CharField(
        required=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="For people without an account; empty: the link is enough.",
    )
    has_banner = forms.BooleanField(required=False, label="Say on each page that it is a preview")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", "auto_id": "id_preview_%s", **kwargs})


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A preview that is open, as its reader sees it."""

    preview: Preview
    address: str
    changes_since: int
    may_revoke: bool
    may_refresh: bool


def preview_section(request: HttpRequest, release: Release, form: PreviewForm | None) -> dict[str, Any]:
    """Return what the section, and the link at the top of the page, show."""
    reader = actor_of(request)
    is_possible = release.state not in STATES_WITHOUT_PREVIEWS
    opened = list(open_previews_of(release)) if is_possible else []
    since = changes_since(release, opened)
    now = preview_of_now(release, opened)
    return {
        "preview_link": address_of(now) if now else "",
        "previews": [_row(preview, release, reader, since.get(preview.pk, 0)) for preview in opened],
        "ended_previews": _ended(release, opened),
        "preview_form": form or PreviewForm(),
        "may_preview": is_possible and reader.has_perm("releases.add_preview"),
        "may_make_previews": who_may("releases.add_preview") if is_possible else "",
    }


def open_typed_preview(request: HttpRequest, release: Release, form: PreviewForm) -> bool:
    """Make the preview that was asked for; return whether that went well. What was wrong is in `form`."""
    if not form.is_valid():
        return False
    typed = form.cleaned_data
    try:
        preview = open_preview(
            release=release,
            actor=actor_of(request),
            expiry=timedelta(days=typed["days"]),
            password=typed["password"],
            has_banner=typed["has_banner"],
        )
    except WeakPassword as refusal:
        form.add_error("password", str(refusal))
        return False
    messages.success(
        request,
        format_html(
            'The preview is at <a href="{0}" rel="noopener">{0}</a>. It can be revoked below.',
            address_of(preview),
        ),
    )
    return True


def _row(preview: Preview, release: Release, reader: User, since: int) -> PreviewRow:
    is_own = preview.created_by_id == reader.pk
    may_add = reader.has_perm("releases.add_preview")
    return PreviewRow(
        preview,
        address_of(preview),
        since,
        may_revoke=(is_own and may_add) or reader.has_perm("releases.revoke_preview"),
        may_refresh=may_add and preview.is_of_draft and release.is_editable,
    )


def _ended(release: Release, opened: list[Preview]) -> list[Preview]:
    ended = release.previews.select_related("created_by", "revoked_by").order_by("-pk")
    return list(ended.exclude(pk__in=[preview.pk for preview in opened])[:_ENDED_SHOWN])
