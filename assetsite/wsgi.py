"""The WSGI application that gunicorn and runserver load."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assetsite.settings")

application = get_wsgi_application()


def follow_releases() -> None:
    """Let this process follow the channels' pointers from now on."""
    # Django has to be set up before an app's modules are imported.
    from apps.delivery.node import current_node  # noqa: PLC0415

    current_node().start()


follow_releases()
