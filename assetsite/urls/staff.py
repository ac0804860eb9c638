"""The staff door: the admin, and what belongs to it."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from apps.notifications.admin.settings_page import settings_page

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("apps.observability.urls")),
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/settings/", admin.site.admin_view(settings_page), name="my_settings"),
    path("admin/", admin.site.urls),
]
