from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.assets.models import Asset
from apps.assets.selectors import carries, tag_counts
from apps.tag_names import tag_fault

_TAGS_SHOWN = 30


class TagFilter(admin.SimpleListFilter):
    """The tags that most files carry, each with how many do, and the one that is chosen."""

    title = "tag"
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        counts = tag_counts()
        shown = [count for at, count in enumerate(counts) if at < _TAGS_SHOWN or count.name == self.value()]
        return [(count.name, f"{count.name} ({count.files:,})") for count in shown]

    def has_output(self) -> bool:
        return bool(self.value()) or super().has_output()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Asset]) -> QuerySet[Asset]:
        name = self.value()
        if not name:
            return queryset
        return queryset.none() if tag_fault(name) else queryset.filter(carries(name))
