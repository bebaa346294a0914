"""Where secrets lie: key files in the home, mode 0600, one key a file.

A root file is encrypted with a pass-phrase when one is given: libsodium SecretBox under Argon2id
MODERATE (PROTOCOL 4.5). Online keys are read by the running node and therefore lie in the clear
behind the file's mode; the root keys belong off this machine.
"""

from __future__ import annotations

import os
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from federation.signing.signer import SeedSigner
from hub.errors import Conflict, Misconfigured
from schemas.errors import WireFormatError
from schemas.identifiers import b64, read_b64
from schemas.strict_json import strict_loads, write_json

SEED_BYTES = 32


def write_key_file(
    path: Path, use: str, seed: bytes, kid: str, passphrase: bytes | None = None
) -> None:
    """Write one secret key to a new file of mode 0600.

    Raises:
        Conflict: ``E_KEY_FILE_EXISTS``; a key file is never overwritten.
    """
    body: dict[str, object] = {"v": 1, "use": use, "kid": kid}
    if passphrase is None:
        body["seed"] = b64(seed)
    else:
        salt = os.urandom(argon2id.SALTBYTES)
        box = SecretBox(_stretch(passphrase, salt))
        body |= {"kdf": "argon2id-moderate", "salt": b64(salt), "box": b64(box.encrypt(seed))}
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise _exists(path) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(write_json(body) + b"\n")
        file.flush()
        os.fsync(file.fileno())


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
