"""Producers in processes of their own, which add objects to a collection over HTTP until a time.

Each is ``python -m tests.support.producers``, told by one line of JSON what to do. It writes a line
for every request that was answered 202: when the answer came (``CLOCK_MONOTONIC``, which all
processes of a machine share) and the ids that it had sent. Imports only the standard library, so
that a producer is there at once.
"""

from __future__ import annotations

import http.client
import itertools
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_TAXII = "application/taxii+json;version=2.1"
_GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
_AT = "2026-03-01T09:00:00.000Z"


@dataclass(frozen=True)
class Acknowledged:
    """One request that was answered 202, and when on the machine's monotonic clock."""

    at: float
    ids: tuple[str, ...]


class Producer:
    """One producer's process.

    Args:
        port: of the server, on loopback.
        path: of the collection's objects.
        token: of a writer.
        sizes: how many objects a request holds, again and again.
        seconds: how long it adds.
    """

    def __init__(
        self, port: int, path: str, token: str, sizes: Sequence[int], seconds: float
    ) -> None:
        order = {"port": port, "path": path, "token": token, "sizes": sizes, "seconds": seconds}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.producers", json.dumps(order)],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )

    def acknowledged(self) -> list[Acknowledged]:
        """Wait for its end; return what it was told is stored, in order."""
        said, _ = self._process.communicate()
        assert self._process.returncode == 0
        lines = [json.loads(line) for line in said.splitlines()]
        return [Acknowledged(at, tuple(sent)) for at, sent in lines]

    def stop(self) -> None:
        """End it at once, whatever the test left of it."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def _indicator() -> dict[str, object]:
    name = uuid.uuid4()
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{name}",
        "created": _AT,
        "modified": _AT,
        "pattern": f"[domain-name:value = '{name}.example']",
        "pattern_type": "stix",
        "valid_from": _AT,
        "object_marking_refs": [_GREEN],
    }


def main() -> None:
    """Add objects as the line of the command says."""
    order = json.loads(sys.argv[1])
    headers = {
        "Authorization": f"Bearer {order['token']}",
        "Content-Type": _TAXII,
        "Accept": _TAXII,
    }
    line = http.client.HTTPConnection("127.0.0.1", order["port"], timeout=60)
    end = time.monotonic() + order["seconds"]
    for size in itertools.cycle(order["sizes"]):
        values = [_indicator() for _ in range(size)]
        line.request("POST", order["path"], json.dumps({"objects": values}).encode(), headers)
        answer = line.getresponse()
        status = json.loads(answer.read())
        assert (answer.status, status["success_count"]) == (202, size), status
        print(json.dumps([time.monotonic(), [value["id"] for value in values]]), flush=True)
        if time.monotonic() > end:
            return


if __name__ == "__main__":
    main()
