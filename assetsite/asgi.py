"""The ASGI application that gunicorn loads, behind the public door's own connections."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assetsite.settings")

application = get_asgi_application()
