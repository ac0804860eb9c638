from importlib import import_module

from django.apps import AppConfig


class ReleasesConfig(AppConfig):
    name = "apps.releases"

    def ready(self) -> None:
        import_module("apps.releases.checks.rule_examples")  # it registers itself
