"""Answers of the intel root with TAXII's media type and headers."""

from __future__ import annotations

from fastapi import Response

from hub.exchange.reading import Page
from schemas.taxii.media_types import TAXII
from schemas.timestamps import write_taxii_time


def taxii_response(body: bytes, status: int = 200) -> Response:
    """Answer with a TAXII resource."""
    return Response(body, status, media_type=TAXII)


def page_response(page: Page) -> Response:
    """Answer with a page and when its first and last object were added (TAXII 2.1 §3.3.2)."""
    response = taxii_response(page.body)
    if page.first is not None and page.last is not None:
        response.headers["X-TAXII-Date-Added-First"] = write_taxii_time(page.first)
        response.headers["X-TAXII-Date-Added-Last"] = write_taxii_time(page.last)
    return response
