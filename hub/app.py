"""The web application of one node: doors put together, nothing decided.

Invariants:
* all state hangs on the app, so several nodes serve in one process (the demo, the tests);
* no page of an API explorer: they load scripts from elsewhere. The OpenAPI document is there.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI

from hub.api import corrections, feeds, health
from hub.api.body_limit import BodyLimit
from hub.api.compression import Compression
from hub.api.error_responses import install_error_responses
from hub.api.federation.routes import router as federation_router
from hub.api.manage import audit, sightings
from hub.api.rate_limits import GuessLimits, StrangerLimits
from hub.api.request_forms import RequestForms
from hub.api.security_headers import SecurityHeaders
from hub.api.taxii import discovery, intel
from hub.node import Node
from hub.storage.migrate import newest_revision
from hub.verdicts.corrections import LONGEST_BODY
from schemas.strict_json import MAX_BODY_BYTES

_INTEL = "/taxii2/intel/"


def create_app(node: Node) -> FastAPI:
    """Create the application that serves a node.

    Args:
        node: opened; the caller closes it after the server has ended.
    """
    app = FastAPI(
        title="Tocsin",
        description="A node's TAXII 2.1 intel root and its management API.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.node = node
    app.state.revision = newest_revision()
    limited = node.settings.rate_limits == "on"
    app.state.guess_limits = GuessLimits(lambda: node.now().timestamp()) if limited else None
    app.state.stranger_limits = StrangerLimits(lambda: node.now().timestamp()) if limited else None
    install_error_responses(app)
    app.include_router(health.router)
    app.include_router(discovery.router)
    app.include_router(intel.router)
    app.include_router(federation_router)
    app.include_router(audit.router)
    app.include_router(corrections.router)
    app.include_router(sightings.router)
    app.include_router(feeds.router)
    app.add_middleware(Compression, line=node.line.outbound)
    # The last one added is the first one asked.
    app.add_middleware(BodyLimit, limit_of=_limit_of(node))
    app.add_middleware(RequestForms)
    app.add_middleware(SecurityHeaders)
    return app


def _limit_of(node: Node) -> Callable[[str], int]:
    """Return the limit of bodies by path: what producers add is larger than what peers say."""
    largest = node.settings.max_content_length

    def limit_of(path: str) -> int:
        if path == corrections.ADDRESS:
            return LONGEST_BODY
        return largest if path.startswith(_INTEL) else MAX_BODY_BYTES

    return limit_of
