"""gunicorn: one master, both doors. `scripts/run` starts it; docs/settings.md lists the environment.

gunicorn --config deploy/gunicorn.conf.py
"""

from pathlib import Path
from typing import Any

from assetsite import settings

bind = [settings.PUBLIC_BIND, settings.STAFF_BIND]
workers = settings.WEB_CONCURRENCY
if settings.GUNICORN_WORKER == "threads":
    # The plain way: gunicorn's own worker, and assets through Django's middleware.
    wsgi_app = "assetsite.wsgi"
    worker_class = "gthread"
    threads = 8
else:
    wsgi_app = "assetsite.asgi"
    worker_class = "assetsite.server.Worker"
    asgi_lifespan = "off"  # Django does not speak it
# Django is loaded once and shared, instead of once a worker: half the time and memory of a start.
preload_app = True
keepalive = 75
timeout = 60
graceful_timeout = 20
http_parser = "fast"

# The door is told by the socket and the host by the Host header. What a proxy would say of scheme,
# client or path is believed from nobody unless an operator sets FORWARDED_ALLOW_IPS.
forwarded_allow_ips = settings.FORWARDED_ALLOW_IPS
forwarder_headers = ""
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"} if forwarded_allow_ips else {}

# A control socket would lie under the home folder, and nothing here uses it.
control_socket_disable = True
# The workers' heartbeat is a file; on a disk it would wait for the disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
accesslog = None
errorlog = "-"
loglevel = "warning"


def post_worker_init(worker: Any) -> None:
    """Open what is live before the first visitor asks; say in storage what this worker follows and counts."""
    from apps.delivery.counting import count  # noqa: PLC0415 - Django is set up with the application
    from apps.delivery.following import report  # noqa: PLC0415
    from apps.delivery.node import current_node  # noqa: PLC0415

    current_node().follow()
    report(current_node())
    count(current_node())


def worker_exit(server: Any, worker: Any) -> None:
    """Let nobody wait for a worker that has ended, and keep what it has counted."""
    from apps.delivery import counting, following  # noqa: PLC0415

    following.leave()
    counting.leave()
