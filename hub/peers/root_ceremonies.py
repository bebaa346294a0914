"""What an operator does with the root key files at hand: each a whole, from files to documents.

The files are named on the command line or lie in the home. They are read for one document and kept
nowhere. What a ceremony needs is checked before anything is written. After a restore the peers are
asked first for documents that this database has lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from federation.identity.document_form import rootset
from federation.identity.node_document import NodeDocument
from federation.signing.signer import SeedSigner
from hub.node import Node
from hub.peers.key_custody import SEED_BYTES, destroy_key_file, write_key_file
from hub.peers.known_nodes import pinned
from hub.peers.may_sign import is_in_doubt
from hub.peers.root_files import (
    RootFiles,
    read_next_root,
    read_root_signers,
    settle_root_files,
)
from hub.peers.rotate_keys import (
    DocumentSigned,
    KeyRevoked,
    KeyRotated,
    open_new_epochs,
    renew_document,
    revoke_key,
    rotate_key,
    rotate_root,
)
from hub.peers.self_check import check_own_feeds
from schemas.errors import TocsinError


@dataclass(frozen=True, slots=True)
class RootGiven:
    """The root files that an operator names; none means those in the home.

    Args:
        passphrase: opens them, and locks what is written; None for files in the clear.
    """

    files: tuple[Path, ...] = ()
    passphrase: bytes | None = None


@dataclass(frozen=True, slots=True)
class RootRotated:
    """A new root, and where its files lie.

    Args:
        retired_root_key_files: in the home, to be destroyed.
    """

    version: int
    expires: datetime
    root_key_files: tuple[Path, ...]
    next_root_key_file: Path
    retired_root_key_files: tuple[Path, ...]


def rotate_key_with(node: Node, use: str, given: RootGiven) -> KeyRotated:
    """List a new online key, signed by the root files; see ``rotate_key``."""
    return rotate_key(node, use, _signers(node, given))


def revoke_key_with(
    node: Node, kid: str, reason: str, last_good: Sequence[str], given: RootGiven
) -> KeyRevoked:
    """Revoke a key, signed by the root files; see ``revoke_key``."""
    return revoke_key(node, kid, reason, _signers(node, given), last_good=last_good)


def renew_with(node: Node, given: RootGiven) -> DocumentSigned:
    """Sign the document anew; see ``renew_document``."""
    return renew_document(node, _signers(node, given))


def open_epochs_with(node: Node, feeds: Sequence[str] | None, given: RootGiven) -> DocumentSigned:
    """Open new epochs, signed by the root files; see ``open_new_epochs``."""
    return open_new_epochs(node, feeds, _signers(node, given))


def rotate_root_with(node: Node, given: RootGiven, fresh: Path | None = None) -> RootRotated:
    """Make the next root the current one, and make the root after it.

    Args:
        given: the files of the next root; by default the one in the home, whose files then change
            their names.
        fresh: where the file of the root after it is written; by default the home.

    Raises:
        Misconfigured: ``E_KEY_FILE`` or ``E_ROOT_KEY``.
        Conflict: ``E_KEY_FILE_EXISTS``.
    """
    files = RootFiles(node.settings.home)
    settle_root_files(files, _newest(node))
    chosen = given.files or (files.next,)
    signers, root = read_next_root(_newest(node), chosen, given.passphrase)
    at_home = chosen == (files.next,)
    written = fresh or (files.following if at_home else files.next)
    seed = node.entropy(SEED_BYTES)
    after = SeedSigner(seed)
    digest = rootset(1, [after.public_key]).hex()
    # On the disk before anything is committed to it: what is lost later is lost for ever.
    write_key_file(written, "next-root", seed, after.kid, given.passphrase)
    try:
        signed = rotate_root(node, signers, root, digest)
    except TocsinError:
        # An answer that was lost may be that of a commit: what is committed to is never destroyed.
        if _newest(node).next_root != digest:
            destroy_key_file(written)
        raise
    settle_root_files(files, _newest(node))
    return RootRotated(
        version=signed.version,
        expires=signed.expires,
        root_key_files=(files.current,) if at_home else chosen,
        next_root_key_file=files.next if written == files.following else written,
        retired_root_key_files=files.retired(),
    )


def _signers(node: Node, given: RootGiven) -> tuple[SeedSigner, ...]:
    files = RootFiles(node.settings.home)
    if is_in_doubt(node):
        # A restored database may lack documents that peers hold; a second one of their version
        # would be refused everywhere.
        check_own_feeds(node)
    settle_root_files(files, _newest(node))
    return read_root_signers(_newest(node), given.files or (files.current,), given.passphrase)


def _newest(node: Node) -> NodeDocument:
    with node.database.read() as tx:
        return pinned(tx, node.node_id).newest
