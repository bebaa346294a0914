"""``tocsin serve`` and ``tocsin worker``: the two processes of a running node.

Invariants:
* the address of whoever asks and the scheme come from the connection: no ``X-Forwarded-*`` is
  believed (signatures are verified against the base URL alone);
* h11 parses requests, because it bounds the size of a request's head; httptools does not;
* one worker runs, in the first process, however many processes serve.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from hub.cli.memory import settle_memory
from hub.cli.options import Home, opened
from hub.cli.output import FAILED, hint

if TYPE_CHECKING:
    import uvicorn

    from hub.node import Node

DEFAULT_PORT: Final = 8443
LONGEST_HEAD: Final = 32 * 1024
MOST_CONNECTIONS: Final = 1_000
GRACE_SECONDS: Final = 20
FACTORY: Final = "hub.cli.serve_commands:create_app_of_home"

PemFile = Annotated[Path | None, typer.Option(metavar="F", exists=True, dir_okay=False)]


def serve(
    host: Annotated[str, typer.Option(metavar="H", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            metavar="P", min=0, max=65535, help="Else the base URL's, where it names one, or 8443."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(metavar="N", min=1, max=64, help="Processes.")] = 1,
    tls_cert: PemFile = None,
    tls_key: PemFile = None,
    home: Home = None,
) -> None:
    """Serve until SIGTERM, and run the worker."""
    from hub.observability.logging import configure_logging
    from hub.workers.run import Worker

    if (tls_cert is None) != (tls_key is None):
        raise typer.BadParameter("--tls-cert and --tls-key go together")
    _check_certificate(tls_cert, tls_key)
    with opened(home) as node:
        configure_logging(node.settings)
        listener = _listen(host, _port_of(node) if port is None else port)
        os.environ["TOCSIN_HOME"] = str(node.settings.home)  # for the processes of --workers
        config = _configure(node, workers, tls_cert, tls_key)
        settle_memory(collects=True)
        background = Worker(node)
        background.start()
        scheme = "http" if tls_cert is None else "https"
        address, bound_port = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        hint(f"Serving {node.node_id[:12]} on {scheme}://{shown}:{bound_port}/ until SIGTERM.")
        sys.stderr.flush()
        try:
            _run(config, listener)
        finally:
            listener.close()
            background.stop(GRACE_SECONDS)


def worker(home: Home = None) -> None:
    """Run the worker alone, apart from serve, until SIGTERM."""
    from hub.observability.logging import configure_logging
    from hub.workers.run import Worker

    with opened(home) as node:
        configure_logging(node.settings)
        wanted = {signal.SIGTERM, signal.SIGINT}
        # Before the threads begin, which inherit it: the signal waits for this thread alone.
        signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
        settle_memory(collects=True)
        background = Worker(node)
        background.start()
        hint(f"Working for {node.node_id[:12]} until SIGTERM.")
        sys.stderr.flush()
        signal.sigwait(wanted)
        background.stop()


def create_app_of_home() -> Any:
    """Create the application of one of several processes, from the environment."""
    from hub.app import create_app
    from hub.bootstrap import open_node
    from hub.observability.logging import configure_logging
    from hub.settings import load_settings

    settings = load_settings()
    configure_logging(settings)
    app = create_app(open_node(settings))
    settle_memory(collects=True)
    return app


def _port_of(node: Node) -> int:
    from hub.peers.node_documents import read_hint

    return urlsplit(read_hint(node)["base"]).port or DEFAULT_PORT


def _listen(host: str, port: int) -> socket.socket:
    from hub.errors import Misconfigured

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise Misconfigured(
            "E_LISTEN",
            f"cannot listen on {host} port {port}: {reason}",
            "Choose another --host or --port, or stop what listens there.",
        ) from None


def _check_certificate(cert: Path | None, key: Path | None) -> None:
    """Find a wrong pair of files now, with a sentence, and not later with a traceback."""
    from hub.errors import Misconfigured

    if cert is None:
        return
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        # An empty pass-phrase, or OpenSSL would ask for one at a terminal that is not there.
        context.load_cert_chain(cert, key, password=lambda: b"")
    except (ssl.SSLError, OSError) as error:
        raise Misconfigured(
            "E_TLS_FILE",
            f"{cert.name} and its key cannot be used: {error}",
            "Give the certificate chain and its unencrypted key, both PEM.",
        ) from None


def _configure(node: Node, workers: int, cert: Path | None, key: Path | None) -> uvicorn.Config:
    import uvicorn

    from hub.app import create_app

    return uvicorn.Config(
        create_app(node) if workers == 1 else FACTORY,
        factory=workers > 1,
        workers=workers,
        http="h11",
        h11_max_incomplete_event_size=LONGEST_HEAD,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE_SECONDS,
        # A child that is busy is not dead: the default of 5 s ends one on a loaded machine, and
        # with it the answers that it is writing.
        timeout_worker_healthcheck=60,
        ssl_certfile=cert,
        ssl_keyfile=key,
    )


def _run(config: uvicorn.Config, listener: socket.socket) -> None:
    """Serve until a signal; a signal that ends us as asked is no failure."""
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    if config.workers > 1:
        Multiprocess(config, sockets=[listener]).run()
        return
    server = uvicorn.Server(config)

    def stop(_signal: int, _frame: object) -> None:
        # uvicorn has its own handlers while it serves, and raises the signal again afterwards.
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.run(sockets=[listener])
    if not server.started and not server.should_exit:
        logging.getLogger("tocsin").error("the server did not start")
        raise typer.Exit(FAILED)
