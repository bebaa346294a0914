"""A running node as the use-cases see it: settings, store, clock, randomness and keys.

There is no module-level state: three nodes run in one process (the demo and the tests do so).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from federation.signing.signer import Signer
from federation.transport.line import Line
from hub.settings import Settings
from hub.storage.engine import Database
from hub.storage.queries.nodes import OwnNode
from schemas.identifiers import NodeId, StixId


class Clock(Protocol):
    """Where the time comes from: the system's clock or, in tests, a fixed one."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC."""
        return datetime.now(UTC)


class OnlineKeys(Protocol):
    """The online keys; the root keys are never here.

    Ask for a key each time that something is signed: it may have been turned since.
    """

    @property
    def entry(self) -> Signer:
        """The key that signs entries, heads, acks and vouches."""
        ...

    @property
    def http(self) -> Signer:
        """The key that signs requests."""
        ...


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """Online keys that stay what they are."""

    entry: Signer
    http: Signer


@dataclass(frozen=True, slots=True)
class Node:
    """One node, opened."""

    settings: Settings
    database: Database
    own: OwnNode
    keys: OnlineKeys
    clock: Clock = field(default_factory=SystemClock)
    entropy: Callable[[int], bytes] = os.urandom
    line: Line = field(default_factory=Line)

    @property
    def node_id(self) -> NodeId:
        """This node's id."""
        return self.own.node_id

    @property
    def identity(self) -> StixId:
        """The STIX identity under which this node publishes."""
        return self.own.identity

    def now(self) -> datetime:
        """Return the present instant by this node's clock."""
        return self.clock.now()
