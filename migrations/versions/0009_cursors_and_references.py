"""The key of cursors, one index of ids, and references between objects (revision 0009)."""

import base64
import json
import os
import re
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = re.compile(r"[a-z][a-z0-9-]+--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NO_REFERENCES = frozenset({"id", "object_marking_refs", "granular_markings"})
_AT_ONCE = 1000
_BY_ORIGIN = "uq_objects_origin_stix_id_version"
_BY_ID = "uq_objects_stix_id_origin_version"
_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create what release 0.2 needs beside."""
    _add_cursor_key()
    _keep_one_index_of_ids()
    _add_object_references()


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("object_references")
    with op.batch_alter_table("objects") as table:
        table.drop_constraint(_BY_ID, type_="unique")
        table.create_unique_constraint(_BY_ORIGIN, ["origin", "stix_id", "version"])
        table.create_index("ix_objects_stix_id", ["stix_id"])
    with op.batch_alter_table("own_node") as table:
        table.drop_column("cursor_key")


def _keep_one_index_of_ids() -> None:
    """Let the unique key begin with the id, so that no second index of ids has to be written."""
    with op.batch_alter_table("objects") as table:
        table.drop_index("ix_objects_stix_id")
        table.drop_constraint(_BY_ORIGIN, type_="unique")
        table.create_unique_constraint(_BY_ID, ["stix_id", "origin", "version"])


def _add_cursor_key() -> None:
    """Give a node that is there a key for its cursors, which an empty one would open to all."""
    op.add_column("own_node", sa.Column("cursor_key", sa.LargeBinary(), nullable=True))
    own = sa.table("own_node", sa.column("cursor_key", sa.LargeBinary()))
    op.execute(own.update().values(cursor_key=os.urandom(64)))
    with op.batch_alter_table("own_node") as table:
        table.alter_column("cursor_key", existing_type=sa.LargeBinary(), nullable=False)


def _add_object_references() -> None:
    """Note what accepted objects refer to, those that are there included."""
    refs = op.create_table(
        "object_references",
        sa.Column("object_row", _ROW_ID, nullable=False),
        sa.Column("stix_id", sa.String(), nullable=False),
        sa.Column("waits", sa.Boolean(), nullable=False),
        sa.Column("target_row", _ROW_ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["target_row"],
            ["objects.object_row"],
            name=op.f("fk_object_references_target_row_objects"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["object_row"],
            ["objects.object_row"],
            name=op.f("fk_object_references_object_row_objects"),
        ),
        sa.PrimaryKeyConstraint("object_row", "stix_id", name=op.f("pk_object_references")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_object_references_target_row", "object_references", ["target_row"])
    op.create_index(
        "ix_object_references_stix_id",
        "object_references",
        ["stix_id"],
        sqlite_where=sa.text("target_row IS NULL"),
        postgresql_where=sa.text("target_row IS NULL"),
    )
    op.create_index(
        "ix_object_references_waits",
        "object_references",
        ["stix_id"],
        sqlite_where=sa.text("waits = 1"),
        postgresql_where=sa.text("waits"),
    )
    public = _public_ids()
    last = -1
    while found := _accepted_after(last):
        last = found[-1][0]
        rows = [
            {"object_row": number, "stix_id": ref, "waits": False}
            for number, stix_id, content in found
            for ref in sorted(_references_in(json.loads(content)) - public - {stix_id})
        ]
        if rows:
            op.bulk_insert(refs, rows)


def _accepted_after(last: int) -> list[tuple[int, str, bytes]]:
    objects = sa.table(
        "objects",
        sa.column("object_row"),
        sa.column("stix_id"),
        sa.column("state"),
        sa.column("content", sa.LargeBinary()),
    )
    rows = op.get_bind().execute(
        sa.select(objects.c.object_row, objects.c.stix_id, objects.c.content)
        .where(
            objects.c.object_row > last,
            objects.c.state == "accepted",
            sa.func.length(objects.c.content) > 0,
        )
        .order_by(objects.c.object_row)
        .limit(_AT_ONCE)
    )
    return [(row.object_row, row.stix_id, bytes(row.content)) for row in rows]


def _public_ids() -> frozenset[str]:
    """Collect the identities that nodes state of themselves: everybody may know them."""
    documents = sa.table("node_documents", sa.column("dsse", sa.LargeBinary()))
    found: set[str] = set()
    for dsse in op.get_bind().execute(sa.select(documents.c.dsse)).scalars():
        payload = json.loads(base64.b64decode(json.loads(bytes(dsse))["payload"]))
        found.update(payload.get("identities", ()))
    return frozenset(found)


def _references_in(value: dict[str, object]) -> set[str]:
    """Collect the ids in any string of an object; definitions of markings and formats are none."""
    texts = _texts({k: member for k, member in value.items() if k not in _NO_REFERENCES})
    ids = {found.lower() for text in texts if "--" in text for found in _ID.findall(text)}
    return {
        ref for ref in ids if not ref.startswith(("marking-definition--", "extension-definition--"))
    }


def _texts(member: object) -> Iterator[str]:
    waiting = [member]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, str):
            yield holder
        elif isinstance(holder, dict):
            waiting += holder.values()
        elif isinstance(holder, list):
            waiting += holder
