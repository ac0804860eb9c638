"""How tags are shown: each leads to the files that carry it."""

from collections.abc import Iterable
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def chip(name: str) -> SafeString:
    """Show a tag as a link to the files that carry it."""
    address = f"{reverse('admin:assets_asset_changelist')}?{urlencode({'tag': name})}"
    return format_html('<a class="tag-chip" href="{}">{}</a>', address, name)


def chips(names: Iterable[str]) -> SafeString:
    return format_html_join(" ", "{}", ((chip(name),) for name in names))
