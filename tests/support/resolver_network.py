"""One organisation's BIND and Unbound, which take their policy zone from a Knot by transfer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hub.exports.canary import is_in_force
from hub.exports.listed_name import ListedName
from hub.exports.rpz import RpzPolicy, why_left_out, write_rpz
from tests.support.hidden_primary import (
    HiddenPrimary,
    running_knot,
)
from tests.support.listed import context
from tests.support.nodes import free_port
from tests.support.processes import until
from tests.support.resolvers import (
    PolicyZone,
    Resolver,
    TransferKey,
    policy_zone,
    rest_of_the_world,
    running_bind,
    running_unbound,
)

ZONE = "organisation.rpz"
PASSES = "passthru.organisation.rpz"
CANARY = "canary.tocsin.example"
BLOCKED = "NXDOMAIN"
POLICY = RpzPolicy(ZONE, canary=CANARY)
KEY = TransferKey()


@dataclass
class Network:
    """The servers of one organisation."""

    bind: Resolver
    unbound: Resolver
    knot: HiddenPrimary
    serial: int = 100

    @property
    def both(self) -> tuple[Resolver, Resolver]:
        """BIND and Unbound."""
        return self.bind, self.unbound

    def publish(self, names: Sequence[ListedName], policy: RpzPolicy = POLICY) -> list[str | None]:
        """Publish what fits, and wait until both have it in force; say why others do not fit."""
        self.serial += 1
        reasons = [why_left_out(each, policy) for each in names]
        kept = [each for each, why in zip(names, reasons, strict=True) if why is None]
        made = b"".join(write_rpz(kept, context(serial=self.serial), policy))
        self.knot.publish(ZONE, made.decode("ascii"))
        self.wait_for_serial(self.serial)
        return reasons

    def wait_for_serial(self, serial: int) -> None:
        """Ask both for the canary of a serial, until they have that very content in force."""
        for resolver in self.both:
            probe = f"127.0.0.1@{resolver.port}"
            until(partial(is_in_force, probe, CANARY, serial), f"{resolver.log} has {serial}")


@contextmanager
def resolver_network(folder: Path) -> Iterator[Network]:
    """Run them all until the block ends."""
    passes = folder / "passes.zone"
    passes.write_text(policy_zone(PASSES, ["saved.example CNAME rpz-passthru."]))
    unbound = free_port()
    with ExitStack() as stack:
        world = stack.enter_context(rest_of_the_world(folder / "world"))
        empty = {ZONE: policy_zone(ZONE, [])}
        knot = stack.enter_context(
            running_knot(folder / "knot", empty, key=KEY, bind=world, unbound=unbound)
        )
        first = PolicyZone(PASSES, file=passes)
        bind = stack.enter_context(
            running_bind(folder / "bind", world, [first, PolicyZone(ZONE, port=knot.port, key=KEY)])
        )
        other = stack.enter_context(
            running_unbound(
                folder / "unbound", world, [first, PolicyZone(ZONE, port=knot.port)], port=unbound
            )
        )
        yield Network(bind, other, knot)
