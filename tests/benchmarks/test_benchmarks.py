"""The benchmarks run, at tiny counts and with this server alone; what they measure is theirs."""

from __future__ import annotations

import pytest

from schemas.stix.validation import check_object
from schemas.strict_json import strict_loads
from tests.benchmarks import large, taxii
from tests.benchmarks.backfill import Backfill, measure_backfill
from tests.benchmarks.load import PAGE, Target, fetch, look_up, walk
from tests.benchmarks.made_objects import envelopes, make_object, stix_id_of
from tests.benchmarks.peer_servers import CannotStartError
from tests.benchmarks.static_limit import static_pages
from tests.benchmarks.wakeup import Wakeup, measure_wakeup
from tests.benchmarks.wire import measure_wire


def test_a_server_is_measured_and_the_first_page_beside_the_last(tmp_path, monkeypatch):
    monkeypatch.setattr(taxii, "_SECONDS", 0.0)
    count, pages = 2 * PAGE, []
    with taxii.ours(tmp_path / "node", fill=large._filler(PAGE)) as (target, pid):
        assert (walk(target).objects, walk(target).cut_off) == (PAGE, False)
        begun = walk(target, page=5, longest=0.0)
        looked_up = look_up(target, [stix_id_of(number) for number in range(3)], longest=0.0)
        measured = taxii.measure("tocsin", target, pid, count, keep=pages, times=3)
    assert (begun.objects, begun.cut_off, len(looked_up)) == (5, True, 1)
    assert measured.objects == count
    assert len(pages) == count // PAGE
    row = measured.row(limit=2 * measured.read_by_one)
    assert row[2] == f"{count:,}"
    assert row[5] == "50%"
    assert all(row)


def test_static_pages_are_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("TOCSIN_BENCH_NGINX", raising=False)
    page = next(envelopes(0, 3))
    with static_pages(tmp_path, [page, page]) as (target, paths):
        assert "no nginx" in target.name
        found = fetch(target, paths)
    assert (found.objects, found.size) == (6, 2 * len(page))


def test_a_server_that_cannot_start_is_a_line_with_its_reason():
    class Absent:
        def __enter__(self) -> tuple[Target, int]:
            raise CannotStartError("pip: no such release")

        def __exit__(self, *_: object) -> None: ...

    row = taxii._measure("medallion 3.0.0", Absent(), 10).row(1.0)
    assert row == ["medallion 3.0.0", "", "", "not measured: pip: no such release"]


def test_a_backfill_is_told_beside_what_is_wanted_and_its_limit():
    found = Backfill("names", 8_000, 125, 0.5, 0.8, 0.08, 4.0, 0.25)
    cells = [list(column.cells) for column in found.table().columns]
    assert "16,000 objects/s" in cells[1]
    assert "wanted 8,000: 200%" in cells[2]
    assert "100 µs an object" in cells[1]
    assert any("2.0 x" in cell for cell in cells[2])


def test_wake_ups_are_told_in_quantiles_and_bare_round_trips():
    found = Wakeup((0.1,) * 99 + (0.4,), (0.5,) * 100, round_trip=0.002)
    columns = found.table().columns
    assert [list(column.cells) for column in columns][2:] == [
        ["100", "500"], ["150", ""], ["400", "500"], ["1,000", "2,000"], ["50 x", "250 x"],
    ]  # fmt: skip


@pytest.mark.long
def test_a_backfill_brings_everything(tmp_path):
    found = measure_backfill(tmp_path, 300)
    assert found.objects >= 300
    assert found.cpu_server > 0


@pytest.mark.long
def test_a_wake_up_reaches_a_peer_and_the_peer_of_a_relay(tmp_path):
    found = measure_wakeup(tmp_path, 2)
    assert len(found.direct) == len(found.relayed) == 2
    assert all(0 < seconds < 20 for seconds in (*found.direct, *found.relayed))


@pytest.mark.long
def test_a_full_entry_is_weighed_as_it_comes(tmp_path):
    (name, *cells) = (next(iter(column.cells)) for column in measure_wire(tmp_path).columns)
    assert name == "the fullest entry by itself"
    assert cells[0] == "64"
    assert 100 < float(cells[1]) < 300


def test_every_made_object_is_sound_and_its_own():
    values = [strict_loads(make_object(number)) for number in range(200)]
    for number, value in enumerate(values):
        check_object(value)
        assert value["id"] == stix_id_of(number)
    assert len({value["id"] for value in values}) == len(values)
