"""The WSGI application that gunicorn and runserver load."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assetsite.settings")

application = get_wsgi_application()
