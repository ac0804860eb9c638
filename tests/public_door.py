"""A public door in this process: answers from storage by the rules of delivery, over real sockets."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.conf import settings

from apps.assets import store
from apps.delivery.following import Reporter
from apps.delivery.node import Node
from apps.delivery.respond import BlobPart, Request, respond

type Change = Callable[[str, int, bytes], tuple[int, bytes]]
"""Makes another status and body of those that an address has: what goes wrong on the way."""


class Door:
    """What is live in storage, asked anew for each request. `change` is what goes wrong; `asked` what was."""

    def __init__(self, hosts: dict[str, str]) -> None:
        self.node = Node(hosts)
        self.change: Change = lambda url, status, body: (status, body)
        self.asked: list[str] = []

    def follow(self) -> None:
        """Follow what storage points at, and say so there."""
        self.node.refresh()
        Reporter(self.node).turn()

    def answer(self, method: str, url: str, host: str) -> tuple[int, list[tuple[str, str]], bytes]:
        self.asked.append(url)
        self.node.refresh()
        release = self.node.release_for(host)
        if release is None:
            return 503, [], b""
        response = respond(Request(method, url, {}), release, now=0)
        body = b"".join(
            store.read_blob(part.digest) if isinstance(part, BlobPart) else part for part in response.body
        )
        status, changed = self.change(url, response.status, body)
        return status, list(response.headers), changed


@contextmanager
def public_door(hosts: dict[str, str]) -> Iterator[Door]:
    """Listen where PUBLIC_BIND says from then on."""
    door = Door(hosts)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = door.answer(self.command, self.path, self.headers["Host"])
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() != "content-length":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        settings.PUBLIC_BIND = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield door
        server.shutdown()
        thread.join()
