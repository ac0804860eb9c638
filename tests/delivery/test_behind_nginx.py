"""A proxy in front, which keeps its connection to us: both have to see the same requests in the same bytes.

Where they did not, the next visitor would get the answer to somebody else's request.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.servers import find
from tests.delivery.conftest import TEN
from tests.delivery.doors import ServerDoor, read_answers
from tests.delivery.test_wire import CASES, Case, visit
from tests.serving import Gunicorn, free_port

pytestmark = pytest.mark.acceptance

NGINX = """
{user} worker_processes 1; daemon off; pid {work}/pid; error_log {work}/log crit;
events {{ worker_connections 100; }}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {work}/1; proxy_temp_path {work}/2; fastcgi_temp_path {work}/3;
  uwsgi_temp_path {work}/4; scgi_temp_path {work}/5;
  upstream assetsite {{ server 127.0.0.1:{behind}; keepalive 1; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://assetsite; proxy_http_version 1.1;
      proxy_set_header Host $http_host; proxy_set_header Connection "";
    }}
    # A connection of its own: what was kept may be gunicorn's protocol by now, which reads no such body.
    location /once/ {{ proxy_pass http://127.0.0.1:{behind}/; proxy_set_header Host $http_host; }}
  }}
}}
"""
PROBE = visit("Connection: close")


@pytest.fixture(scope="module")
def nginx(worker_door: ServerDoor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """Our worker as a client sees it through nginx: the port is nginx's."""
    program = find("nginx")
    if not program:
        pytest.skip("nginx is missing (apt install nginx-light).")
    work, port = tmp_path_factory.mktemp("nginx"), free_port()
    config: Path = work / "nginx.conf"
    user = "" if os.geteuid() else "user root;"
    config.write_text(NGINX.format(user=user, work=work, port=port, behind=worker_door.server.public_port))
    process = subprocess.Popen([program, "-e", f"{work}/log", "-p", str(work), "-c", str(config)])
    proxied = Gunicorn(worker_door.server.data, public_port=port)
    proxied._process = process
    try:
        proxied._wait_until_it_answers()
        yield proxied
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.section)
def test_whatever_was_sent_before_the_next_visitor_gets_what_he_asks_for(nginx: Gunicorn, case: Case) -> None:
    nginx.exchange(case.sent + PROBE)
    for _ in range(2):
        (answer,) = read_answers(nginx.exchange(PROBE), PROBE)
        assert (answer.status, answer.body) == (200, TEN)


def test_a_body_that_nobody_reads_ends_in_the_answer_to_it(nginx: Gunicorn) -> None:
    body = b"a" * 3_000_000
    fields = (f"Content-Length: {len(body)}", "Connection: close")
    sent = visit(*fields, method="POST", target="/once/ten.txt") + body
    assert [answer.status for answer in read_answers(nginx.exchange(sent), b"")] == [405]
