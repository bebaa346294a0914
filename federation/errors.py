"""Errors of the federation's rules, grouped by blame (ARCHITECTURE 6)."""

from __future__ import annotations

from schemas.errors import TocsinError


class SignatureRejected(TocsinError):
    """It cannot be trusted: ``E_SIG_*``, ``E_KEY_*``, ``E_NODE_EXPIRED``, ``E_HTTP_*``."""


class ChainBroken(TocsinError):
    """The entry does not follow what we hold (``E_GAP``, ``E_FORK``, ``E_FEED`` and others).

    Chain level: the feed stops before the entry and the cursor does not move (PROTOCOL 2.4).
    """


class EntryDeferred(TocsinError):
    """The entry is not due yet: stop before it, without an alarm (PROTOCOL 2.4 ``ts``)."""


class ContentRejected(TocsinError):
    """The content is bad, the place in the chain is right: stored as rejected, chain advances."""


class SharingRefused(TocsinError):
    """Policy said no. To the outside it looks like something that does not exist."""


class PeerState(TocsinError):
    """The relation with this peer forbids it."""


class PeerUnreachable(TocsinError):
    """The wire failed; ``params["retry_after"]`` in seconds when the other side named it."""
