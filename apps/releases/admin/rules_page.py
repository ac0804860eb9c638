"""Cache rules on the pages of releases: what today's would change, and a release that only brings them."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.accounts.staff_pages import actor_of, refused, render, why_not
from apps.refusals import Refusal
from apps.releases.comparing.rules import rules_brought
from apps.releases.models import Release
from apps.releases.selectors import channel_named
from apps.releases.selectors.channels import live_publications
from apps.releases.services.pinning import begin_with_rules, differences_today, rules_to_take


def rules_section(release: Release) -> dict[str, Any]:
    """Return what a release brings of cache rules, and what today's would change in it if it is a draft."""
    return {
        "rules_brought": rules_brought(release),
        "rules_to_take": rules_to_take(release) if release.is_editable else None,
    }


def with_rules_page(request: HttpRequest) -> HttpResponse:
    """Let somebody begin a draft that changes no file, and ships with the rules of today."""
    status = 200
    if request.method == "POST":
        try:
            made = begin_with_rules(
                channel=channel_named(request.POST.get("channel", "")),
                title=request.POST.get("title", ""),
                actor=actor_of(request),
            )
        except Refusal as refusal:
            status = refused(request, refusal)
        else:
            messages.success(
                request,
                "This draft changes no file: it ships with the rules of today. To undo it, withdraw it.",
            )
            return HttpResponseRedirect(reverse("admin:releases_release_change", args=[made.pk]))
    return render(
        request,
        "releases/release/with_rules.html",
        title="A release with the cache rules of today",
        status=status,
        choices=_choices(),
        why_not=why_not(request, "releases.add_release", to="make a release"),
        typed=request.POST,
    )


def _choices() -> list[dict[str, Any]]:
    """Return each channel that serves something, with what today's rules would change of it."""
    lives = live_publications()
    differences = differences_today([live.release for live in lives])
    return [
        {"channel": live.channel, "live": live.release, "difference": difference}
        for live, difference in zip(lives, differences, strict=True)
    ]
