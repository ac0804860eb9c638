from importlib import import_module

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class JobsConfig(AppConfig):
    name = "apps.jobs"

    def ready(self) -> None:
        """Import what registers handlers and scheduled functions."""
        autodiscover_modules("tasks")
        import_module("apps.jobs.housekeeping")
