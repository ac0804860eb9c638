"""How what was measured is said on pages."""

from django import template

from apps.observability.measuring import percent

register = template.Library()
register.filter("percent", percent)
