"""Errors of the node itself, beside those of the wire and of the rules (ARCHITECTURE 6)."""

from __future__ import annotations

from schemas.errors import TocsinError


class NotFound(TocsinError):
    """It does not exist, or this reader may not know that it does."""


class NotPermitted(TocsinError):
    """Who asks is known and may not do this."""


class Conflict(TocsinError):
    """It clashes with what is stored."""


class RateLimited(TocsinError):
    """Too much, too fast; ``params["retry_after"]`` in seconds."""


class StorageBusy(TocsinError):
    """The database could not take the write in time; nothing was stored."""


class Misconfigured(TocsinError):
    """A setting, file or option is missing or wrong."""
