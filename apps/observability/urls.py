"""Health, and the keys with which what is served was signed, on both doors."""

from django.urls import path

from apps.observability import views

urlpatterns = [
    path("-/healthz", views.healthz, name="healthz"),
    path("-/readyz", views.readyz, name="readyz"),
    path("-/keys", views.keys, name="keys"),
]
