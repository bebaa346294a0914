"""The same pages as static files: what no server that looks anything up can beat.

nginx where it is installed, or where ``TOCSIN_BENCH_NGINX`` names it. Else a bare loop over a
socket that sends bytes which it holds already; the table says which of the two it was.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.load import Target
from tests.benchmarks.peer_servers import running
from tests.support.nodes import free_port

_SETTINGS = """
daemon off; master_process off; pid {home}/nginx.pid; error_log {home}/error.log; {user}
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c;
  uwsgi_temp_path {home}/d; scgi_temp_path {home}/e;
  default_type "application/taxii+json;version=2.1";
  server {{ listen 127.0.0.1:{port}; root {home}/pages; }}
}}
"""


@contextmanager
def static_pages(home: Path, pages: Sequence[bytes]) -> Iterator[tuple[Target, list[str]]]:
    """Serve pages; give who serves them and their addresses."""
    (home / "pages").mkdir(parents=True)
    for number, page in enumerate(pages):
        (home / "pages" / str(number)).write_bytes(page)
    paths = [f"/{number}" for number in range(len(pages))]
    nginx = os.environ.get("TOCSIN_BENCH_NGINX") or shutil.which("nginx")
    if nginx is None:
        listener = socket.create_server(("127.0.0.1", 0))
        process = multiprocessing.get_context("fork").Process(
            target=_serve, args=(listener, list(pages)), daemon=True
        )
        process.start()
        port = listener.getsockname()[1]
        listener.close()
        try:
            yield Target("a bare socket loop (no nginx here)", port, "/"), paths
        finally:
            process.terminate()
            process.join()
        return
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    (home / "nginx.conf").write_text(_SETTINGS.format(home=home, port=port, user=user))
    version = subprocess.run([nginx, "-v"], check=True, capture_output=True, text=True).stderr
    command = [nginx, "-p", str(home), "-c", str(home / "nginx.conf")]
    with running(command, home, port):
        yield Target(version.strip().rpartition(" ")[2], port, "/"), paths


def _serve(listener: socket.socket, pages: list[bytes]) -> None:
    """Answer one connection at a time, as the measure with one reader needs it."""
    answers = [
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page) for page in pages
    ]
    while True:
        connection, _ = listener.accept()
        with connection:
            while asked := connection.recv(65_536):
                number = int(asked.split(b" ", 2)[1][1:])
                connection.sendall(answers[number])
