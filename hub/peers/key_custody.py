"""Where secrets lie: key files in the home, mode 0600, one key a file.

A root file is encrypted with a pass-phrase when one is given: libsodium SecretBox under Argon2id
MODERATE (PROTOCOL 4.5). Online keys are read by the running node and therefore lie in the clear
behind the file's mode; the root keys belong off this machine.

Invariants:
* a key file is there whole or not at all, and is never overwritten; it is written without a name,
  so that a process that is killed leaves nothing, or, where the file system cannot do that, as a
  draft that the next start or write destroys;
* the key in use changes by one rename, which every process of the node sees at its next signature;
* one who asks for a key gets one that stays the same, so that a key id and a signature fit.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from federation.signing.signer import SeedSigner, Signer
from hub.errors import Conflict, Misconfigured
from schemas.errors import WireFormatError
from schemas.identifiers import KeyId, b32, b64, is_key_id, read_b64
from schemas.strict_json import strict_loads, write_json

SEED_BYTES = 32
ONLINE_USES = ("entry", "http")
_DRAFT = re.compile(r"\..+\.key\.[a-z2-7]{16}")
_Stamp = tuple[int, int, int]


class HomeKeys:
    """The online keys of a home as they are now, whoever has turned them since.

    Args:
        home: where ``keys/`` lies.

    Raises:
        Misconfigured: ``E_KEY_FILE``.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._read = {use: self._load(use) for use in ONLINE_USES}

    @property
    def entry(self) -> Signer:
        """The key that signs entries, heads, acks and vouches."""
        return self._now("entry")

    @property
    def http(self) -> Signer:
        """The key that signs requests."""
        return self._now("http")

    def _now(self, use: str) -> Signer:
        stamp, signer = self._read[use]
        # A file that is gone or being looked at by a backup is no reason to stop: what was read
        # goes on signing, and the next start will say that the file is missing.
        with suppress(OSError, Misconfigured):
            if _stamp_of(current_file(self._home, use)) != stamp:
                self._read[use] = self._load(use)
                return self._read[use][1]
        return signer

    def _load(self, use: str) -> tuple[_Stamp | None, SeedSigner]:
        path = current_file(self._home, use)
        # The stamp is older than what is read, so that a change in between is read once more.
        stamp = _stamp_of(path) if path.exists() else None
        return stamp, read_key_file(path)


def current_file(home: Path, use: str) -> Path:
    """Name the file of the key in use."""
    return home / "keys" / f"{use}.key"


def waiting_file(home: Path, use: str) -> Path:
    """Name the file of a new key that is listed and not used yet."""
    return home / "keys" / f"{use}.next.key"


def former_file(home: Path, use: str) -> Path:
    """Name the file of the key before, which is destroyed when it has ended."""
    return home / "keys" / f"{use}.former.key"


def write_key_file(
    path: Path, use: str, seed: bytes, kid: str, passphrase: bytes | None = None
) -> None:
    """Write one secret key to a new file of mode 0600, whole or not at all.

    Raises:
        Conflict: ``E_KEY_FILE_EXISTS``; a key file is never overwritten.
        Misconfigured: ``E_KEY_FILE`` when the file cannot be written.
    """
    body: dict[str, object] = {"v": 1, "use": use, "kid": kid}
    if passphrase is None:
        body["seed"] = b64(seed)
    else:
        salt = os.urandom(argon2id.SALTBYTES)
        box = SecretBox(_stretch(passphrase, salt))
        body |= {"kdf": "argon2id-moderate", "salt": b64(salt), "box": b64(box.encrypt(seed))}
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    require_no_key_file(path)
    clear_drafts(path.parent)
    data = write_json(body) + b"\n"
    try:
        if not _write_unnamed(path, data):
            _write_by_draft(path, data)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise Misconfigured(
            "E_KEY_FILE",
            f"{path.name} cannot be written: {error.strerror}",
            "Make its directory writable, and room on its disk.",
        ) from None
    _sync_directory(path.parent)


def require_no_key_file(path: Path) -> None:
    """Refuse to go on where a key file lies.

    Raises:
        Conflict: ``E_KEY_FILE_EXISTS``.
    """
    if path.exists():
        raise _exists(path)


def read_key_file(path: Path, passphrase: bytes | None = None) -> SeedSigner:
    """Read one secret key.

    Raises:
        Misconfigured: ``E_KEY_FILE`` when the file is missing, broken, open to others or the
            pass-phrase does not fit.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise Misconfigured(
                "E_KEY_FILE",
                f"others may read {path.name}",
                f"Run `chmod 600 {path}` and consider whether the key has leaked.",
            )
        body = strict_loads(path.read_bytes())
        if "seed" in body:
            return SeedSigner(read_b64(body["seed"]))
        if passphrase is None:
            raise Misconfigured(
                "E_KEY_FILE", f"{path.name} is encrypted", "Give --passphrase-file."
            )
        key = _stretch(passphrase, read_b64(body["salt"]))
        return SeedSigner(SecretBox(key).decrypt(read_b64(body["box"])))
    except CryptoError:
        raise Misconfigured(
            "E_KEY_FILE", f"the pass-phrase does not open {path.name}", "Give the right one."
        ) from None
    except (OSError, WireFormatError, KeyError, TypeError):
        raise Misconfigured(
            "E_KEY_FILE",
            f"{path.name} is missing or no key file",
            "Restore the file from your backup of the home.",
        ) from None


def kid_in(path: Path) -> KeyId | None:
    """Read whose key a file holds, which is not encrypted; None when there is no such file."""
    try:
        body = strict_loads(path.read_bytes())
    except (OSError, WireFormatError):
        return None
    kid = body.get("kid") if isinstance(body, dict) else None
    return KeyId(kid) if isinstance(kid, str) and is_key_id(kid) else None


def turn_key_file(home: Path, use: str) -> None:
    """Put the waiting key in the place of the one in use, which is kept as the former one.

    Safe to repeat after a crash at any point: the key in use changes by the last step alone.
    """
    current, former = current_file(home, use), former_file(home, use)
    if kid_in(former) != kid_in(current):
        if former.exists():
            destroy_key_file(former)
        # A second name and no copy: the secret stands on the disk once.
        _link(current, former)
    waiting_file(home, use).replace(current)
    _sync_directory(current.parent)


def destroy_key_file(path: Path) -> None:
    """Overwrite a secret and remove its file; what is gone already is no error.

    A journal or a worn-out flash cell may keep a copy: that is why online keys end by themselves.
    """
    with suppress(FileNotFoundError):
        # Only bytes that no other name leads to: a key in use may be linked here.
        if path.stat().st_nlink == 1:
            with path.open("r+b") as file:
                file.write(bytes(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
        path.unlink()
        _sync_directory(path.parent)


def clear_drafts(directory: Path) -> None:
    """Destroy what processes that were killed while they wrote a key file have left here.

    Whoever writes holds a lock on its draft, which ends with its process.
    """
    with suppress(OSError):
        for path in directory.iterdir():
            if _DRAFT.fullmatch(path.name):
                _destroy_if_left(path)


def _destroy_if_left(draft: Path) -> None:
    with suppress(OSError), draft.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        destroy_key_file(draft)


def _write_unnamed(path: Path, data: bytes) -> bool:
    """Write a file that gets its name when it is whole; False where there is no such thing.

    Raises:
        FileExistsError: the name is taken.
        OSError: it cannot be written.
    """
    if not hasattr(os, "O_TMPFILE"):
        return False
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        try:
            descriptor = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o600)
        except OSError:
            return False  # what else is wrong shows when a draft is written
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            try:
                # With a directory given, Python follows the link of /proc to the file itself.
                os.link(f"/proc/self/fd/{file.fileno()}", path, src_dir_fd=directory)
            except FileExistsError:
                raise
            except OSError:
                return False
    finally:
        os.close(directory)
    return True


def _write_by_draft(path: Path, data: bytes) -> None:
    """Write a file beside its place, and give it its name when it is whole."""
    draft = path.with_name(f".{path.name}.{b32(os.urandom(10))}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            _name_new(draft, path)
    finally:
        with suppress(OSError):
            draft.unlink()


def _name_new(draft: Path, path: Path) -> None:
    """Give a finished file its name, unless the name is taken meanwhile."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:
        # A stick with FAT knows no second names.
        require_no_key_file(path)
        draft.replace(path)


def _link(current: Path, former: Path) -> None:
    try:
        os.link(current, former)
    except OSError:
        former.touch(mode=0o600)
        former.write_bytes(current.read_bytes())


def _stamp_of(path: Path) -> _Stamp:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _sync_directory(directory: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _exists(path: Path) -> Conflict:
    return Conflict(
        "E_KEY_FILE_EXISTS",
        f"{path.name} is there already",
        "Choose an empty home; a key file is never overwritten.",
    )


def _stretch(passphrase: bytes, salt: bytes) -> bytes:
    return argon2id.kdf(
        SecretBox.KEY_SIZE,
        passphrase,
        salt,
        opslimit=argon2id.OPSLIMIT_MODERATE,
        memlimit=argon2id.MEMLIMIT_MODERATE,
    )
