"""The benchmarks run, at tiny counts and with this server alone; what they measure is theirs."""

from __future__ import annotations

from schemas.stix.validation import check_object
from schemas.strict_json import strict_loads
from tests.benchmarks import large, taxii
from tests.benchmarks.load import PAGE, Target, fetch, walk
from tests.benchmarks.made_objects import envelopes, make_object, stix_id_of
from tests.benchmarks.peer_servers import CannotStartError
from tests.benchmarks.static_limit import static_pages


def test_a_server_is_measured_and_the_first_page_beside_the_last(tmp_path, monkeypatch):
    monkeypatch.setattr(taxii, "_SECONDS", 0.0)
    count, pages = 2 * PAGE, []
    with taxii.ours(tmp_path / "node", fill=large._filler(PAGE)) as (target, pid):
        assert walk(target).objects == PAGE
        measured = taxii.measure("tocsin", target, pid, count, keep=pages, times=3)
    assert measured.objects == count
    assert len(pages) == count // PAGE
    row = measured.row(limit=2 * measured.read_by_one)
    assert row[4] == "50%"
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
    assert row == ["medallion 3.0.0", "", "not measured: pip: no such release"]


def test_every_made_object_is_sound_and_its_own():
    values = [strict_loads(make_object(number)) for number in range(200)]
    for number, value in enumerate(values):
        check_object(value)
        assert value["id"] == stix_id_of(number)
    assert len({value["id"] for value in values}) == len(values)
