"""Files take the place of others whole, and a tree's names lead nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.exports.kept_files import copy_files, list_files, open_names, relative_name, write_whole
from hub.exports.kept_files import keep_content as keep


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    write_whole(file, [b"a.example\n"])
    assert file.stat().st_mode & 0o777 == 0o640
    file.chmod(0o644)

    def broken() -> Iterator[bytes]:
        yield b"b.example\n"
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_whole(file, broken())
    assert file.read_bytes() == b"a.example\n"
    write_whole(file, [b"c.example\n", b"*.c.example\n"])
    assert file.read_bytes() == b"c.example\n*.c.example\n"
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [file]


def test_a_tree_takes_away_its_own_files_alone(tmp_path: Path) -> None:
    keep(tmp_path, "1", {"manifest.json": [b"{}"], "sub/a.json": [b"a"]}, ["a\tqname\texact"])
    keep(tmp_path, "2", {"manifest.json": [b"[]"]}, [])
    assert list_files(tmp_path, "1") == ("manifest.json", "sub/a.json")
    with open_names(tmp_path, "1") as names, open_names(tmp_path, "3") as none:
        assert (list(names or ()), none) == (["a\tqname\texact"], None)
    place = tmp_path / "served"
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    for content in ("1", "2"):
        copy_files(tmp_path / content / "files", list_files(tmp_path, content), place)
    left = {file.name: file.read_text() for file in place.rglob("*") if file.is_file()}
    assert left == {"mine.txt": "mine", "manifest.json": "[]", ".tocsin-files": "manifest.json\n"}


def test_a_list_that_somebody_edited_leads_nowhere_else(tmp_path: Path) -> None:
    keep(tmp_path, "1", {"manifest.json": [b"{}"]}, [])
    victim = tmp_path / "victim"
    victim.write_text("mine")
    place = tmp_path / "served"
    place.mkdir()
    (place / ".tocsin-files").write_bytes(b"../victim\n/etc/hostname\n\n\xff\nold.json\n")
    (place / "old.json").write_text("{}")
    copy_files(tmp_path / "1" / "files", list_files(tmp_path, "1"), place)
    assert victim.read_text() == "mine"
    assert sorted(file.name for file in place.iterdir()) == [".tocsin-files", "manifest.json"]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "", "a/../../x"])
def test_no_writer_writes_beside_its_folder(name: str) -> None:
    with pytest.raises(ValueError, match="outside"):
        relative_name(name)
