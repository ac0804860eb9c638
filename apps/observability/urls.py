"""Health, on both doors."""

from django.urls import path

from apps.observability import views

urlpatterns = [
    path("-/healthz", views.healthz, name="healthz"),
    path("-/readyz", views.readyz, name="readyz"),
]
