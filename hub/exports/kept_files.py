"""Where renderings are kept in the home, and how files take the place of others.

A rendering has a folder ``exports/format+audience[+reader][+variant]``; in it one folder for each
content that is served or was until now: ``files`` is what readers get, ``names`` says what is
listed, line by line and sorted, so that the next one can be compared with it.

Invariants:
* a file is replaced whole or not at all: what reads it never sees half a list;
* a tree's own names are checked: no writer can write beside its folder;
* one process at a time renders a content: whoever else wants to waits for the lock.

What it does not do: decide what is written (``publication``).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

FOLDER: Final = "exports"
FILES: Final = "files"
NAMES: Final = "names"
PACKED: Final = "packed"
_NEW: Final = ".new-"
_FILE_MODE: Final = 0o640
"""Of a new file; one that is there keeps its own, so that a resolver's group can read it."""
_FOLDER_MODE: Final = 0o750
_AT_ONCE: Final = 1 << 20


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a rendering's folder against other processes and threads; it is made where missing."""
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def keep_content(
    folder: Path, content: str, files: Mapping[str, Iterable[bytes]], names: Iterable[str]
) -> None:
    """Write a content into its folder, to the disk, and put it there in one step."""
    made = Path(tempfile.mkdtemp(prefix=_NEW, dir=folder))
    try:
        _write_tree(made / FILES, files)
        with (made / NAMES).open("w", encoding="ascii", newline="\n") as stream:
            stream.writelines(f"{name}\n" for name in names)
        made.chmod(_FOLDER_MODE)
        place = folder / content
        if place.exists():  # a rendering that ended between its files and its row
            shutil.rmtree(place)
        made.rename(place)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    sync_directory(folder)


def drop_contents(folder: Path, kept: frozenset[str]) -> None:
    """Remove every content but these; who reads one of them still reads it to its end."""
    for found in folder.iterdir():
        if found.is_dir() and found.name not in kept:
            shutil.rmtree(found, ignore_errors=True)


@contextlib.contextmanager
def open_names(folder: Path, content: str) -> Iterator[Iterator[str] | None]:
    """Read what a content lists, sorted; None where the content is not there any more."""
    file = folder / content / NAMES
    if not file.is_file():
        yield None
        return
    with file.open(encoding="ascii") as stream:
        yield (line.rstrip("\n") for line in stream)


def list_files(folder: Path, content: str) -> tuple[str, ...]:
    """List the files of a content by their relative names; none where it is not there."""
    top = folder / content / FILES
    found = (file.relative_to(top).as_posix() for file in top.rglob("*") if file.is_file())
    return tuple(sorted(found))


def write_whole(file: Path, chunks: Iterable[bytes]) -> None:
    """Write a file beside its place, to the disk, and put it there in one step."""
    mode = file.stat().st_mode & 0o777 if file.exists() else _FILE_MODE
    descriptor, made = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.writelines(chunks)
            stream.flush()
            os.fsync(stream.fileno())
        Path(made).chmod(mode)
        Path(made).replace(file)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise
    sync_directory(file.parent)


def bring_files(source: Path, names: Sequence[str], place: Path, *, is_tree: bool) -> None:
    """Bring a rendering's files to a file, or to a directory where they are a tree."""
    if is_tree:
        copy_files(source, names, place)
        return
    with (source / names[0]).open("rb") as stream:
        write_whole(place, iter(lambda: stream.read(_AT_ONCE), b""))


def copy_files(source: Path, names: Iterable[str], directory: Path) -> None:
    """Bring a tree's files to a directory, each replaced whole, and take away what is no more.

    What is taken away are files that an earlier rendering put there: the list of them is kept
    beside them, and nothing else in the directory is ever touched.
    """
    directory.mkdir(parents=True, exist_ok=True)
    listed = directory / ".tocsin-files"
    before = set(filter(_is_relative, _lines_of(listed)))
    after = sorted(names)
    for name in after:
        place = directory / relative_name(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with (source / name).open("rb") as stream:
            write_whole(place, iter(lambda: stream.read(_AT_ONCE), b""))
    for name in sorted(before - set(after)):
        (directory / relative_name(name)).unlink(missing_ok=True)
    write_whole(listed, (f"{name}\n".encode() for name in after))


def _lines_of(listed: Path) -> list[str]:
    return listed.read_text("utf-8", errors="replace").splitlines() if listed.is_file() else []


def _is_relative(name: str) -> bool:
    """Tell whether a line is the name of a file; whatever else stands there is none of ours."""
    try:
        relative_name(name)
    except ValueError:
        return False
    return True


def relative_name(name: str) -> PurePosixPath:
    """Check the name of a tree's file.

    Raises:
        ValueError: for one that leads out of its tree, which is a mistake of its writer.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or any(part in {"..", "."} for part in path.parts):
        raise ValueError(f"a writer named a file outside of its tree: {name!r}")
    return path


def sync_directory(directory: Path) -> None:
    """Bring a directory's own entries to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_tree(top: Path, files: Mapping[str, Iterable[bytes]]) -> None:
    top.mkdir()
    for name, chunks in files.items():
        place = top / relative_name(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as stream:
            stream.writelines(chunks)
            stream.flush()
            os.fsync(stream.fileno())
