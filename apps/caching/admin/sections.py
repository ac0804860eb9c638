"""What other parts add to the page of a rule: parts above this one register a section each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

type ContextOf = Callable[[HttpRequest, str], dict[str, Any] | None]

_REGISTERED: dict[str, ContextOf] = {}


@dataclass(frozen=True, slots=True)
class Section:
    """A template and what it shows, there under the name `section`."""

    template: str
    context: dict[str, Any]


def register_section(template: str, context_of: ContextOf) -> None:
    """Let `template` be shown on each rule's page with what `context_of(request, slug)` returns.

    It is left out where that is None.
    """
    _REGISTERED[template] = context_of


def sections_of(request: HttpRequest, slug: str) -> list[Section]:
    """Return the sections for the rule `slug`, in the order in which they were registered."""
    found = [(template, context_of(request, slug)) for template, context_of in _REGISTERED.items()]
    return [Section(template, context) for template, context in found if context is not None]
