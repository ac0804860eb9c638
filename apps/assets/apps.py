from importlib import import_module

from django.apps import AppConfig

from apps.assets import store


class AssetsConfig(AppConfig):
    name = "apps.assets"

    def ready(self) -> None:
        store.on_use.append(import_module("apps.assets.leftovers").keep)
