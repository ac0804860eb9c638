"""What was measured of a cache rule, on its page."""

from typing import Any

from django.http import HttpRequest

from apps.caching.admin.sections import register_section
from apps.caching.models import CacheRule
from apps.observability.measuring import measured


def measured_section(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Return what the section shows."""
    return {"measured": measured(CacheRule.objects.get(slug=slug))}


register_section("admin/caching/cacherule/measured.html", measured_section)
