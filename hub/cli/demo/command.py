"""Run the demo: build the stage, tell the story, stay up for a while, clean up."""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from pathlib import Path

from hub.cli.demo.narration import Narration
from hub.cli.demo.siems import let_siems_read
from hub.cli.demo.stage import DemoNode, build_stage
from hub.cli.demo.story import tell
from schemas.strict_json import write_json


def run_demo(seconds: float | None, *, check: bool, json: bool) -> int:
    """Run the demo and return the exit code.

    Args:
        seconds: how long the nodes stay up in all; None: until Ctrl-C.
        check: exit 1 when any expected sharing or refusal did not happen.
        json: print one JSON document at the end and nothing else.
    """
    started = time.monotonic()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    narration = Narration(quiet=json)
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-") as home:
        stage = build_stage(Path(home))
        try:
            up_seconds = time.monotonic() - started
            narration.say(f"Three nodes were up and paired after {up_seconds:.1f} s.")
            tell(stage, narration)
            token = let_siems_read(stage, narration)
            summary = _summary(stage.nodes, narration, token, up_seconds)
            if json:
                print(write_json(summary).decode(), flush=True)
            _invite_to_try(stage.registry, narration, token)
            _stay_up(started, seconds, ended, narration)
        finally:
            stage.stop()
    return 1 if check and not narration.all_met else 0


def _summary(
    nodes: tuple[DemoNode, ...], narration: Narration, token: str, up_seconds: float
) -> dict[str, object]:
    met = sum(expectation.met for expectation in narration.expectations)
    if not narration.all_met:
        narration.say(f"{len(narration.expectations) - met} expectations were not met.")
    return {
        "nodes": [
            {"name": node.name, "node_id": node.node.node_id, "base": node.base} for node in nodes
        ],
        "token": token,
        "seconds_to_up": round(up_seconds, 2),
        "expectations": [
            {"what": expectation.what, "met": expectation.met}
            for expectation in narration.expectations
        ],
        "ok": narration.all_met,
    }


def _invite_to_try(registry: DemoNode, narration: Narration, token: str) -> None:
    narration.act("Try it yourself")
    url = f"{registry.base}taxii2/"
    narration.say(f"A SIEM's token at {registry.name} (name demo-own):")
    narration.say(f"  {token}")
    narration.say("With curl:")
    narration.say(f"  curl -u demo-own:{token} {url}")
    narration.say(
        f"  curl -g -u demo-own:{token} "
        f"'{url}intel/collections/originals/objects/?match[type]=indicator'"
    )
    narration.say("With taxii2-client:")
    narration.say(
        "  python -c 'from taxii2client.v21 import Server; "
        f'print([c.title for c in Server("{url}", user="demo-own", password="{token}")'
        ".api_roots[0].collections])'"
    )


def _stay_up(
    started: float, seconds: float | None, ended: threading.Event, narration: Narration
) -> None:
    if seconds is None:
        narration.say("The nodes stay up until you press Ctrl-C; then all of it is deleted.")
    else:
        left = max(0.0, seconds - (time.monotonic() - started))
        narration.say(f"The nodes stay up for another {left:.0f} s; then all of it is deleted.")
    try:
        while not ended.wait(0.2):
            if seconds is not None and time.monotonic() - started >= seconds:
                return
    except KeyboardInterrupt:
        return
