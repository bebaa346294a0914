"""What makes one export another than the next: format, audience, reader, feed, least confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.exports.formats import RPZ
from hub.exports.listing import LEAST_CONFIDENCE, OTHER
from hub.exports.rpz_policy import PASSTHRU
from schemas.dns.extensions import THREAT_TYPES
from schemas.errors import WireFormatError

ORGANISATION: Final = "organisation"
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class ExportKey:
    """Which export is meant.

    Args:
        audience: ``organisation``, ``constituents`` or ``public``.
        constituent: one constituent's token; "" for none.
        feed: a threat type, ``other``, or ``passthru`` with RPZ; "" for all.
        least: the confidence that verdicts need in formats for detection.
    """

    format: str
    audience: str
    constituent: str = ""
    feed: str = ""
    least: int = LEAST_CONFIDENCE

    @property
    def variant(self) -> str:
        """Say what it has beside format, audience and reader; "" for nothing."""
        least = "" if self.least == LEAST_CONFIDENCE else f"min-{self.least}"
        return "+".join(part for part in (self.feed, least) if part)

    @property
    def folder(self) -> str:
        """Name its folder; no part of it has a plus sign."""
        parts = (self.format, self.audience, self.constituent, self.feed, str(self.least))
        return "+".join(parts)

    @property
    def subject(self) -> str:
        """Name it in an alarm."""
        parts = (self.format, self.audience, self.constituent, self.variant)
        return "/".join(part for part in parts if part)

    def check(self) -> None:
        """Check what would name a file or zone.

        Raises:
            WireFormatError: ``E_EXPORT_FEED``, ``E_SCHEMA``.
        """
        if not 0 <= self.least <= _MOST:
            raise WireFormatError("E_SCHEMA", "a confidence is 0 to 100")
        if self.feed == PASSTHRU:
            # It names peers and constituents: what they may not know of each other.
            if self.format != RPZ or self.audience != ORGANISATION:
                raise WireFormatError(
                    "E_EXPORT_FEED", "the passthru zone is of RPZ and for the organisation alone"
                )
        elif self.feed and self.feed != OTHER and self.feed not in THREAT_TYPES:
            raise WireFormatError(
                "E_EXPORT_FEED",
                f"{self.feed[:40]!r} is no feed",
                f"Use a threat type, `{OTHER}`, or leave it out for all.",
            )
