"""The words that options take, in the order in which help lists them.

They repeat what the rooms below know, because importing those would make ``--help`` slow; a test
holds the two equal.
"""

from __future__ import annotations

from enum import StrEnum


class Label(StrEnum):
    """The labels of TLP 2.0."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"


class Role(StrEnum):
    """What a node's organisation does."""

    CERT = "cert"
    REGISTRY = "registry"
    REGISTRAR = "registrar"
    RESOLVER_OPERATOR = "resolver-operator"
    DNS_HOST = "dns-host"


class GreenRelay(StrEnum):
    """Whether peers may pass a GREEN feed on."""

    COMMUNITY = "community"
    NONE = "none"


class Trust(StrEnum):
    """The levels of trust in a peer."""

    BLOCKED = "blocked"
    KNOWN = "known"
    MEMBER = "member"
    TRUSTED = "trusted"
    PARTNER = "partner"


class InboundMode(StrEnum):
    """What becomes of a peer's objects on receipt."""

    REFUSE = "refuse"
    QUARANTINE = "quarantine"
    CORROBORATED = "corroborated"
    ACCEPT = "accept"


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


class Roster(StrEnum):
    """Whether the members of a group are told who the others are."""

    MEMBERS = "members"
    HIDDEN = "hidden"


class History(StrEnum):
    """Whether who joins a group later reads what came before."""

    ALL = "all"
    JOIN = "join"


class Pap(StrEnum):
    """Which actions are permitted; blocking takes green or clear (PROTOCOL 2.4)."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class Urgency(StrEnum):
    """What goes first where a line is thin."""

    ROUTINE = "routine"
    PRIORITY = "priority"
    IMMEDIATE = "immediate"


class TokenKind(StrEnum):
    """The kinds of reader and producer."""

    OWN = "own"
    CONSTITUENT = "constituent"
    SUBSCRIBER = "subscriber"
    PUBLIC = "public"
    WRITER = "writer"
    ADMIN = "admin"


class FileFormat(StrEnum):
    """What a file to publish holds."""

    AUTO = "auto"
    STIX = "stix"
    NAMES = "names"
    CSV = "csv"


class ImportFormat(StrEnum):
    """What a file to import holds."""

    AUTO = "auto"
    STIX = "stix"
    STIX20 = "stix20"
    MISP = "misp"
    CSV = "csv"
    NAMES = "names"
    HOSTS = "hosts"
    RPZ = "rpz"


class ThreatType(StrEnum):
    """Why a name is listed (DNS 1)."""

    AMPLIFICATION = "amplification"
    CACHE_POISONING = "cache-poisoning"
    DANGLING_DELEGATION = "dangling-delegation"
    DELEGATION_HIJACK = "delegation-hijack"
    DGA = "dga"
    FAST_FLUX = "fast-flux"
    LOOKALIKE = "lookalike"
    MALWARE_C2 = "malware-c2"
    MALWARE_DISTRIBUTION = "malware-distribution"
    PHISHING = "phishing"
    ROGUE_RESOLVER = "rogue-resolver"
    SINKHOLE = "sinkhole"
    TUNNELLING = "tunnelling"


class SplitBy(StrEnum):
    """What a domain set is split by."""

    TLD = "tld"


class MatchScope(StrEnum):
    """What of a name is meant (DNS 1)."""

    SUBTREE = "subtree"
    EXACT = "exact"
    WILDCARD_ONLY = "wildcard-only"


class RequestedAction(StrEnum):
    """What an author asks readers to do (DNS 1)."""

    BLOCK_DROP = "block-drop"
    BLOCK_NODATA = "block-nodata"
    BLOCK_NSDNAME = "block-nsdname"
    BLOCK_NXDOMAIN = "block-nxdomain"
    CHECK_OWN_ZONES = "check-own-zones"
    DELEGATION_RESTORE = "delegation-restore"
    MONITOR = "monitor"
    NOTIFY_REGISTRANT = "notify-registrant"
    PATCH = "patch"
    REDIRECT_SINKHOLE = "redirect-sinkhole"
    REGISTRAR_SUSPEND = "registrar-suspend"
    REGISTRY_BLOCK = "registry-block"
    REGISTRY_HOLD = "registry-hold"


class ObjectState(StrEnum):
    """What became of an object at this node."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    REJECTED = "rejected"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    WITHHELD = "withheld"
    ERASED = "erased"
    EXERCISE = "exercise"
    SUSPENDED = "suspended"
    LOCAL = "local"
    QUEUED = "queued"


NAME_STANDINGS = {
    "verified": "DNSSEC proves that the domain names this node",
    "unverified": "unverified name: the zone, or the answer, is not signed",
    "absent": "the zone is signed and names no node",
    "other": "the signed zone names another node: call its operator",
    "bogus": "the signatures do not hold: call its operator, and ask nothing of this domain",
    "unanswered": "nobody answered",
}
"""A ``NameStanding`` in words (PROTOCOL 4.5)."""


class GuardGrade(StrEnum):
    """How strongly a name is protected from being blocked."""

    REFUSE = "refuse"
    HOLD = "hold"
    WARN = "warn"


class Audience(StrEnum):
    """Who observes what an export blocks."""

    ORGANISATION = "organisation"
    CONSTITUENTS = "constituents"
    PUBLIC = "public"


class OpinionWord(StrEnum):
    """How far somebody agrees (STIX 2.1 §4.13)."""

    STRONGLY_DISAGREE = "strongly-disagree"
    DISAGREE = "disagree"
    NEUTRAL = "neutral"
    AGREE = "agree"
    STRONGLY_AGREE = "strongly-agree"


class HijackAnswer(StrEnum):
    """What an authority says of a claimed hijack."""

    AUTHORISED = "authorised"
    NOT_OURS = "not-ours"
    REVERTED = "reverted"


class HijackVector(StrEnum):
    """By which way a delegation was taken (DNS 1)."""

    EPP_CREDENTIAL = "epp-credential"
    REGISTRAR_ACCOUNT_COMPROMISE = "registrar-account-compromise"
    REGISTRATION_SYSTEM_COMPROMISE = "registration-system-compromise"
    SOCIAL_ENGINEERING = "social-engineering"
    UNKNOWN = "unknown"


class ConcentrationBy(StrEnum):
    """By what claims on names are counted together."""

    REGISTRAR = "registrar"
    TLD = "tld"
    NAMESERVER = "nameserver"
    WINDOW = "window"


class OutcomeWord(StrEnum):
    """What turned out about an object."""

    CONFIRMED = "confirmed"
    FALSE_POSITIVE = "false-positive"
