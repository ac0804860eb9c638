"""How many files carry the tags that a cache rule asks for, on its page: rules know of no files."""

from typing import Any

from django.http import HttpRequest

from apps.assets.selectors import tag_counts
from apps.caching.admin.sections import register_section
from apps.caching.selectors import newest_version_of, tags_asked_for_by


def rule_tags_section(request: HttpRequest, slug: str) -> dict[str, Any] | None:
    """Return each tag that the rule asks for with its number of files; None where it asks for none."""
    names = tags_asked_for_by([newest_version_of(slug)])
    files = dict(tag_counts(names)) if names else {}
    return {"tags": [(name, files.get(name, 0)) for name in sorted(names)]} if names else None


register_section("admin/caching/cacherule/tags.html", rule_tags_section)
