"""The root key files: which sign now, and how they change places when the root is rotated.

They belong on removable media and are named on the command line; those in the home are the default.

Invariants:
* a fresh next root file is on the disk before the document that commits to it is stored;
* a crash between two steps leaves files from which the next command can tell, by their key ids,
  what is still to be done;
* a retired root key signs nothing that a node needs. It stays where it was, under another name, for
  its owner to destroy: whoever finds it can have peers freeze the node (rule (c)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from federation.identity.node_document import NodeDocument
from federation.identity.rotation import RootSet, find_threshold
from federation.signing.keys import ED25519, key_id
from federation.signing.signer import SeedSigner
from hub.errors import Misconfigured
from hub.peers.key_custody import destroy_key_file, kid_in, read_key_file
from schemas.identifiers import KeyId

CURRENT, NEXT, FOLLOWING = "root-current.key", "root-next.key", "root-following.key"
RETIRED = "root-retired-*.key"


@dataclass(frozen=True, slots=True)
class RootFiles:
    """The default places of the root files in a home."""

    home: Path

    @property
    def current(self) -> Path:
        """Signs documents now."""
        return self.home / CURRENT

    @property
    def next(self) -> Path:
        """Is committed to, and signs after the next rotation."""
        return self.home / NEXT

    @property
    def following(self) -> Path:
        """Was made for a rotation that has not ended."""
        return self.home / FOLLOWING

    def retired(self) -> tuple[Path, ...]:
        """List the root files that sign no more."""
        return tuple(sorted(self.home.glob(RETIRED)))


def read_root_signers(
    document: NodeDocument, files: Sequence[Path], passphrase: bytes | None
) -> tuple[SeedSigner, ...]:
    """Read the root keys that sign what follows a document.

    Raises:
        Misconfigured: ``E_KEY_FILE``, or ``E_ROOT_KEY`` when they are not this node's or too few.
    """
    signers = tuple(read_key_file(file, passphrase) for file in files)
    strange = [
        file.name
        for file, signer in zip(files, signers, strict=True)
        if signer.public_key not in document.root_keys
    ]
    if strange:
        raise Misconfigured(
            "E_ROOT_KEY",
            f"{strange[0]} is no current root key of this node",
            "Give the current root key file with --root-key-file.",
        )
    if len({signer.kid for signer in signers}) < document.root_threshold:
        raise Misconfigured(
            "E_ROOT_KEY",
            f"{document.root_threshold} root keys have to sign, {len(signers)} were given",
            "Give --root-key-file once for each of them.",
        )
    return signers


def read_next_root(
    document: NodeDocument, files: Sequence[Path], passphrase: bytes | None
) -> tuple[tuple[SeedSigner, ...], RootSet]:
    """Read the keys of the root set that a document commits to.

    Raises:
        Misconfigured: ``E_KEY_FILE``, or ``E_ROOT_KEY`` when the document commits to others.
    """
    signers = tuple(read_key_file(file, passphrase) for file in files)
    pubs = tuple(signer.public_key for signer in signers)
    threshold = find_threshold(document.next_root, pubs)
    if threshold is None:
        raise Misconfigured(
            "E_ROOT_KEY",
            "these are not the next root keys that this node has committed to",
            "Give the next root key file with --next-root-key-file, all of them where it is a set.",
        )
    return signers, RootSet(threshold, pubs)


def settle_root_files(files: RootFiles, document: NodeDocument) -> None:
    """Let the files change places as the newest document says; safe to repeat after a crash."""
    roots = {key_id(ED25519, pub) for pub in document.root_keys}
    if kid_in(files.next) in roots and kid_in(files.current) not in roots:
        # The document was stored: the next root is the current one, also where the one after it
        # was written somewhere else.
        _retire(files, roots)
        files.next.replace(files.current)
    if not files.following.exists():
        return
    if files.next.exists() or kid_in(files.current) not in roots:
        # It was not: nobody has committed to the file that was made for it.
        destroy_key_file(files.following)
        return
    files.following.replace(files.next)


def _retire(files: RootFiles, roots: set[KeyId]) -> None:
    kid = kid_in(files.current)
    if kid is not None and kid not in roots:
        files.current.replace(files.home / RETIRED.replace("*", kid[:8]))
