"""Copy a SQLite database while it is in use, and put a copy back.

Decides what a good copy is: a whole SQLite file of a node, of a revision that this release knows.

Invariants:
* a backup appears under its name only when it is whole and on the disk; nothing is overwritten;
* what a restore replaces is kept beside it;
* nothing is replaced before the caller has noted that a backup takes its place.

What it does not do: keys and settings, which are files in the home; PostgreSQL, which has tools of
its own. Nor what makes an older database safe again: that its own feeds are not signed anew before
the peers told what they hold of them (``hub.peers.self_check``).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from hub.errors import Conflict, Misconfigured, StorageBusy
from hub.storage.engine import Database


def back_up(database: Database, target: Path) -> int:
    """Write a consistent copy of the database to a new file of mode 0600.

    Returns:
        Its size in bytes.

    Raises:
        Misconfigured: ``E_BACKUP`` on PostgreSQL. Conflict: ``E_FILE_EXISTS``.
    """
    source = _sqlite_file(database)
    if target.exists():
        raise Conflict(
            "E_FILE_EXISTS", f"{target} is there already", "Give a new file; none is overwritten."
        )
    partial = _partial(target)
    try:
        _copy(source, partial)
        os.link(partial, target)  # unlike a rename it fails when the name was taken meanwhile
    except FileExistsError:
        raise Conflict("E_FILE_EXISTS", f"{target} is there already", "Give a new file.") from None
    finally:
        partial.unlink(missing_ok=True)
    _sync_directory(target.parent)
    return target.stat().st_size


def restore(
    database: Database, backup: Path, *, note_restored: Callable[[], None] = lambda: None
) -> Path | None:
    """Put a backup in the place of the database; the node has to be stopped.

    Args:
        note_restored: called before anything is replaced: from then on the own feeds are in doubt.

    Returns:
        Where the replaced database is now; None when there was none.

    Raises:
        Misconfigured: ``E_BACKUP`` when the file is no whole backup, or on PostgreSQL.
        Conflict: ``E_RESTORE_OTHER`` for another node's backup.
        StorageBusy: ``E_STORAGE_BUSY`` when some process has the database open.
    """
    place = _sqlite_file(database)
    node_id = _inspect(backup)
    database.close()
    if place.exists():
        _close_log(place)
        _refuse_another_node(place, node_id)
    partial = _partial(place)
    try:
        _copy(backup, partial)
        note_restored()
        kept = _move_aside(place)
        partial.replace(place)
    finally:
        partial.unlink(missing_ok=True)
    _sync_directory(place.parent)
    return kept


def _sqlite_file(database: Database) -> Path:
    if database.url.get_backend_name() != "sqlite" or not database.url.database:
        raise Misconfigured(
            "E_BACKUP",
            "the database is PostgreSQL, which has its own tools",
            "Use pg_dump and pg_restore, or the backups of your database server.",
        )
    return Path(database.url.database)


@contextlib.contextmanager
def _open(file: Path, *, read_only: bool = True) -> Iterator[sqlite3.Connection]:
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", uri=True, timeout=2)
    try:
        yield connection
    finally:
        connection.close()


def _copy(source: Path, target: Path) -> None:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with _open(source) as origin, _open(target, read_only=False) as copy:
        # All pages in one go: in WAL mode that holds up no writer, and a copy in parts would begin
        # anew at every commit of a busy node.
        origin.backup(copy)
        # One file that holds everything: without this the copy asks for a log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def _inspect(backup: Path) -> str:
    """Check a backup, and tell whose it is."""
    if not backup.is_file():
        raise _no_backup(backup, "there is no such file")
    try:
        with _open(backup) as found:
            if found.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise _no_backup(backup, "the file is damaged")
            found.execute("SELECT version_num FROM alembic_version").fetchone()
            return _node_id(found)
    except (sqlite3.Error, TypeError):
        raise _no_backup(backup, "it is no database of a node") from None


def _node_id(found: sqlite3.Connection) -> str:
    node_id: str = found.execute("SELECT node_id FROM own_node").fetchone()[0]
    return node_id


def _no_backup(backup: Path, reason: str) -> Misconfigured:
    return Misconfigured(
        "E_BACKUP", f"{backup.name}: {reason}", "Give a file that `tocsin db backup` wrote."
    )


def _close_log(place: Path) -> None:
    """Fold the write-ahead log into the file, which works only while nobody has it open."""
    try:
        with _open(place, read_only=False) as held:
            is_free = held.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete"
    except sqlite3.DatabaseError as error:
        # Too broken to open is what the backup is for; locked is not.
        is_free = "locked" not in str(error)
    if not is_free:
        raise StorageBusy(
            "E_STORAGE_BUSY", "some process has the database open", "Stop the node first."
        )


def _refuse_another_node(place: Path, node_id: str) -> None:
    try:
        with _open(place) as held:
            present_id = _node_id(held)
    except (sqlite3.Error, TypeError):
        return
    if present_id != node_id:
        raise Conflict(
            "E_RESTORE_OTHER", "the backup is another node's", "Give this node's own backup."
        )


def _move_aside(place: Path) -> Path | None:
    if not place.exists():
        return None
    number = 1
    while (kept := place.with_name(f"{place.name}.replaced-{number}")).exists():
        number += 1
    place.replace(kept)
    for log in (f"{place.name}-wal", f"{place.name}-shm"):
        place.with_name(log).unlink(missing_ok=True)
    return kept


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.partial")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
