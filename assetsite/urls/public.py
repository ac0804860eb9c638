"""The public door: what is not a published asset. There is no way from here to the staff's pages."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("apps.observability.urls")),
]
