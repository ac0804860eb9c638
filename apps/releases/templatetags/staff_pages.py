"""How the staff's pages say times, sizes, digests, states and people: the same everywhere."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from apps.accounts.models import User
from apps.releases.comparing.impact import SIGNS, kind_of
from apps.releases.comparing.texts import visible
from apps.releases.models import Release
from apps.releases.redirects.values import typed_source

register = template.Library()

_ICONS = {
    Release.State.DRAFT: "✎",
    Release.State.IN_REVIEW: "◔",
    Release.State.APPROVED: "✓",
    Release.State.PUBLISHED: "●",
    Release.State.SUPERSEDED: "○",
    Release.State.REJECTED: "✕",
    Release.State.WITHDRAWN: "⊘",
}
_STEPS_OF_SIZE = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"))


@register.filter
def commands(words: str) -> SafeString:
    """Set what stands between backticks as code: so refusals name what to type."""
    parts = str(words).split("`")
    return format_html_join("", "{}", ((_code(part) if at % 2 else part,) for at, part in enumerate(parts)))


def _code(part: str) -> SafeString:
    return format_html("<code>{}</code>", part)


@register.simple_tag
def ago(at: datetime | None) -> SafeString | str:
    """Say how long ago `at` was, with the exact time on hover."""
    if at is None:
        return "\N{EN DASH}"
    is_now = timezone.now() - at < timedelta(minutes=1)
    return _time(at, "just now" if is_now else f"{timesince(at, depth=1)} ago")


@register.simple_tag
def moment(at: datetime | None) -> SafeString | str:
    """Say when `at` was: day of the week and time within the last days, the date before that."""
    if at is None:
        return "\N{EN DASH}"
    local = timezone.localtime(at)
    days = (timezone.localdate() - local.date()).days
    if days == 0:
        words = date_format(local, "\\t\\o\\d\\a\\y H:i")
    else:
        words = date_format(local, "l H:i" if 0 < days < 7 else "j F Y, H:i")
    return _time(at, words)


@register.simple_tag
def exactly(at: datetime | None) -> SafeString | str:
    """Say when `at` was to the millisecond, for what happens within one second; the date is on hover."""
    if at is None:
        return "\N{EN DASH}"
    local = timezone.localtime(at)
    return _time(at, f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}")


@register.simple_tag
def digest(value: str | None) -> SafeString | str:
    """Show the first 12 characters of a digest; selecting or clicking it takes the whole."""
    if not value:
        return "not built yet"
    return format_html('<code class="digest" title="sha256:{0}" data-copy="{0}">{0}</code>', value)


@register.simple_tag
def state(release: Release) -> SafeString:
    """Show the state of a release as icon and word."""
    return format_html(
        '<span class="state state-{}"><span aria-hidden="true">{}</span> {}</span>',
        release.state,
        _ICONS[Release.State(release.state)],
        release.get_state_display(),
    )


@register.simple_tag
def state_icon(release: Release) -> SafeString:
    """Show the icon of a release's state in its colour, beside words that say the state."""
    icon = _ICONS[Release.State(release.state)]
    return format_html('<span class="state state-{}" aria-hidden="true">{}</span>', release.state, icon)


@register.simple_tag
def person(user: User | None, *, nobody: str = "nobody yet") -> SafeString:
    """Show a person by name, with initials in front."""
    if user is None:
        return format_html('<span class="quiet">{}</span>', nobody)
    initials = "".join(word[0] for word in str(user).split()[:2]).upper()
    return format_html(
        '<span class="person"><span class="initials" aria-hidden="true">{}</span>{}</span>',
        initials,
        str(user),
    )


@register.simple_tag
def change_counts(counts: Any) -> SafeString:
    """Show added, changed and removed paths as +3 ~10 -1, with the words on hover and for screen readers.

    Changed redirects are behind them as ↪2, where there are any.
    """
    words = f"{counts.added} added, {counts.changed} changed, {counts.removed} removed"
    redirects = ""
    if counts.redirects:
        words += f", {counts.redirects} redirect{'' if counts.redirects == 1 else 's'}"
        redirects = format_html(" <b>↪{}</b>", counts.redirects)
    return format_html(
        '<span class="counts" title="{0}"><span class="visually-hidden">{0}</span>'
        '<span aria-hidden="true"><b class="added">+{1}</b> <b class="changed">~{2}</b>'
        ' <b class="removed">\N{MINUS SIGN}{3}</b>{4}</span></span>',
        words,
        counts.added,
        counts.changed,
        counts.removed,
        redirects,
    )


@register.simple_tag(takes_context=True)
def page_link(context: template.Context, name: str, number: int) -> str:
    """Return the query of this page with the page `number` of the list whose parameter is `name`."""
    query = context["request"].GET.copy()
    query[name] = str(number)
    return f"?{query.urlencode()}"


@register.filter
def size(size_bytes: int) -> str:
    """Return a size in bytes as people say it: 18.4 kB."""
    for step, unit in _STEPS_OF_SIZE:
        if size_bytes >= step:
            amount = size_bytes / step
            return f"{amount:.0f} {unit}" if amount >= 100 else f"{amount:.1f} {unit}"
    return f"{size_bytes} byte{'' if size_bytes == 1 else 's'}"


@register.filter
def sign(kind: str) -> str:
    """Return the sign of a kind of change: "+" for "added"."""
    return SIGNS[kind]


@register.filter
def at(mapping: Mapping[Any, Any], key: object) -> object:
    """Return what a mapping has under a key that is no literal, or None."""
    return mapping.get(key)


register.filter("kind_of", kind_of)
register.filter("visible", visible)
register.filter("typed_source", typed_source)


def _time(at: datetime, words: str) -> SafeString:
    local = timezone.localtime(at)
    exact = f"{local:%Y-%m-%d %H:%M:%S %Z}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), exact, words
    )
