"""A server between visitors and a release, over real sockets, which changes answers as it is told to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from django.utils import timezone

from apps.delivery.pointer import ChannelOptions
from apps.delivery.release import LiveRelease
from apps.delivery.respond import Request, respond
from apps.releases.models import Channel, Publication, Receipt
from apps.releases.selectors import live_publication, open_manifest

type Change = Callable[[str, dict[str, str]], dict[str, str]]
"""Makes other headers of those that an address has."""


class Front:
    """A server that stands between visitors and a release, and does to its answers what `change` does."""

    def __init__(self, live: LiveRelease) -> None:
        self.live = live
        self.change: Change = lambda path, headers: headers
        self.status = 0
        self.hosts: set[str] = set()
        self.asked: list[str] = []
        front = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                front.hosts.add(self.headers["Host"])
                front.asked.append(self.path)
                answer = respond(
                    Request("HEAD", self.path, {"accept-encoding": "identity"}), front.live, now=0
                )
                self.send_response_only(front.status or answer.status)
                for name, value in front.change(self.path, dict(answer.headers)).items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def front_of(channel: Channel) -> Iterator[Front]:
    """Stand before what is live on a channel now."""
    front = Front(live_release(channel))
    yield front
    front.stop()


def live_release(channel: Channel) -> LiveRelease:
    publication = live_publication(channel)
    assert publication
    return LiveRelease(
        channel.name, publication.release_id, publication.sequence, publication.manifest_id, publication.tag,
        0, 0, open_manifest(publication.manifest), ChannelOptions(names_release=channel.names_release),
    )  # fmt: skip


def finish_receipt(publication: Publication) -> None:
    """Close a receipt as if what this site answers itself had been asked for."""
    Receipt.objects.filter(publication=publication).update(
        verdict="verified", url_count=3, urls_name="list", urls_sha256="a" * 64, finished_at=timezone.now()
    )


def with_header(name: str, value: str) -> Change:
    return lambda path, headers: headers | ({name: value} if path == "/css/app.css" else {})
