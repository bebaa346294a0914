"""The intel root: what a stock TAXII 2.1 client reads and writes here (PROTOCOL 2.6).

Every endpoint runs as the reader that its token stands for; the router asks for one at each.
"""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from hub.api.dependencies import (
    CurrentNode,
    CurrentReader,
    Deletion,
    Filters,
    ObjectFilters,
    TaxiiBody,
    VersionFilters,
    current_reader,
    require_taxii_accept,
    require_writable,
)
from hub.api.taxii.responses import page_response, taxii_response
from hub.exchange import reading
from hub.exchange.add_objects import add_objects
from hub.exchange.delete_object import delete_object
from schemas.taxii.resources import write_api_root, write_collection, write_collections

router = APIRouter(
    prefix="/taxii2/intel",
    tags=["intel root"],
    dependencies=[Depends(current_reader), Depends(require_taxii_accept)],
    default_response_class=Response,
)


@router.get("/")
def get_api_root(node: CurrentNode) -> Response:
    """Get what this API root offers (TAXII 2.1 §4.2)."""
    limit = node.settings.max_content_length
    return taxii_response(write_api_root("Intel", "STIX for token holders, by clearance.", limit))


@router.get("/status/{status_id}/")
def get_status(node: CurrentNode, reader: CurrentReader, status_id: str) -> Response:
    """Get the status of an own Add Objects request (TAXII 2.1 §4.3)."""
    return taxii_response(reading.read_status(node, reader, status_id))


@router.get("/collections/")
def get_collections(node: CurrentNode, reader: CurrentReader) -> Response:
    """List the collections that this reader may read or write (TAXII 2.1 §5.1)."""
    return taxii_response(write_collections(reading.list_collections_of(node, reader)))


@router.get("/collections/{collection_id}/")
def get_collection(node: CurrentNode, reader: CurrentReader, collection_id: str) -> Response:
    """Get one collection by id or alias (TAXII 2.1 §5.2)."""
    return taxii_response(write_collection(reading.read_collection(node, reader, collection_id)))


@router.get("/collections/{collection_id}/manifest/")
def get_manifest(
    node: CurrentNode, reader: CurrentReader, collection_id: str, filters: Filters
) -> Response:
    """Get a page of the manifest (TAXII 2.1 §5.3)."""
    return page_response(reading.read_manifest(node, reader, collection_id, filters))


@router.get("/collections/{collection_id}/objects/")
def get_objects(
    node: CurrentNode, reader: CurrentReader, collection_id: str, filters: Filters
) -> Response:
    """Get the page of objects that this reader may see (TAXII 2.1 §5.4)."""
    return page_response(reading.read_objects(node, reader, collection_id, filters))


@router.post("/collections/{collection_id}/objects/", dependencies=[Depends(require_writable)])
def post_objects(
    node: CurrentNode, reader: CurrentReader, collection_id: str, body: TaxiiBody
) -> Response:
    """Add objects to a collection (TAXII 2.1 §5.5)."""
    return taxii_response(add_objects(node, reader, collection_id, body).body, 202)


@router.get("/collections/{collection_id}/objects/{object_id}/")
def get_object(
    node: CurrentNode,
    reader: CurrentReader,
    collection_id: str,
    object_id: str,
    filters: ObjectFilters,
) -> Response:
    """Get the versions of one object, the latest by default (TAXII 2.1 §5.6)."""
    return page_response(reading.read_object(node, reader, collection_id, object_id, filters))


@router.delete("/collections/{collection_id}/objects/{object_id}/")
def remove_object(
    node: CurrentNode,
    reader: CurrentReader,
    collection_id: str,
    object_id: str,
    matches: Deletion,
) -> Response:
    """Delete an object from a producers' collection (TAXII 2.1 §5.7)."""
    delete_object(node, reader, collection_id, object_id, matches)
    return Response(status_code=200)


@router.get("/collections/{collection_id}/objects/{object_id}/versions/")
def get_versions(
    node: CurrentNode,
    reader: CurrentReader,
    collection_id: str,
    object_id: str,
    filters: VersionFilters,
) -> Response:
    """List the versions of one object (TAXII 2.1 §5.8)."""
    return page_response(reading.read_versions(node, reader, collection_id, object_id, filters))
