"""Alarms on what comes in and goes out beside the exchange: exports, lists of sets, imports.

The other half of ``alarm_words``, which has the table of all codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Params = Mapping[str, Any]


def jump(params: Params) -> str:
    """Say that an export changed too much."""
    return (
        f"The export {params.get('format')} for {params.get('audience')} would go from "
        f"{params.get('before')} names to {params.get('after')}: it is stopped, and the last good "
        "one stays in force."
    )


def export_failed(params: Params) -> str:
    """Say that a target was not written."""
    return (
        f"The target {params.get('target')} was not written: {params.get('detail')} "
        f"({params.get('error')}). The last good file stays."
    )


def canary(params: Params) -> str:
    """Say that a resolver is behind."""
    seen = params.get("seen")
    answer = "does not answer for the canary" if seen is None else f"is at serial {seen}"
    return (
        f"The resolver {params.get('resolver')} {answer}, where {params.get('target')} has "
        f"published serial {params.get('serial')}: it may block nothing."
    )


def blobs_missing(params: Params) -> str:
    """Say that lists of domain sets do not come."""
    number = params.get("lists")
    what = "a domain set's list" if number == 1 else f"the lists of {number} domain sets"
    error = f" (the last attempt met {params['error']})" if params.get("error") else ""
    return f"This node does not get {what} of {params.get('name')}{error}."


def blob_wrong(params: Params) -> str:
    """Say that a peer gave other bytes than were named."""
    return (
        f"{params.get('name')} gave other bytes than a domain set's digest names "
        f"({str(params.get('sha256'))[:12]}…); they were dropped."
    )


def blobs_full(params: Params) -> str:
    """Say that lists take nearly all their room."""
    return f"The lists of domain sets nearly fill their {params.get('mib')} MiB."


def import_failed(params: Params) -> str:
    """Say that a server of others cannot be read."""
    return (
        f"The server {params.get('subject')} at {params.get('url')} cannot be read "
        f"({params.get('error')}); nothing new of it is imported."
    )
