"""The intel root on PostgreSQL: its tests of reading and writing, on the other database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.hub.api.taxii import test_reading, test_writing
from tests.hub.api.taxii.conftest import Intel, make_intel
from tests.support.databases import postgresql_with_tables

for _module in (test_reading, test_writing):
    for _name, _value in vars(_module).items():
        if _name.startswith("test_") or _name in {"reader", "shared"}:
            globals()[_name] = _value


@pytest.fixture
def intel(tmp_path: Path, now: datetime) -> Iterator[Intel]:
    made = make_intel(tmp_path, now, database_url=postgresql_with_tables())
    yield made
    made.close()
