"""The first tables (revision 0001)."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table of release 0.1."""
    op.create_table(
        "audit_events",
        sa.Column(
            "event_row",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("params", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("event_row", name=op.f("pk_audit_events")),
    )
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_events_at"), ["at"], unique=False)

    op.create_table(
        "collections",
        sa.Column("collection_id", sa.String(length=36), nullable=False),
        sa.Column("alias", sa.String(), nullable=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("default_tlp", sa.Integer(), nullable=True),
        sa.Column("selection", sa.String(), nullable=True),
        sa.Column("publish_to", sa.String(), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("collection_id", name=op.f("pk_collections")),
        sa.UniqueConstraint("alias", name=op.f("uq_collections_alias")),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "feeds",
        sa.Column(
            "feed_row",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("collection_id", sa.String(length=36), nullable=False),
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("relay", sa.String(), nullable=True),
        sa.Column("highest_tlp", sa.Integer(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", sa.String(length=64), nullable=False),
        sa.Column("last_ts", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("relay_stopped", sa.Boolean(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=True),
        sa.Column("head_seq", sa.BigInteger(), nullable=False),
        sa.Column("head_ts", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("feed_row", name=op.f("pk_feeds")),
        sa.UniqueConstraint("collection_id", name=op.f("uq_feeds_collection_id")),
        sa.UniqueConstraint("feed", name=op.f("uq_feeds_feed")),
    )
    with op.batch_alter_table("feeds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_feeds_node_id"), ["node_id"], unique=False)

    op.create_table(
        "invitations",
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("used_by", sa.String(length=52), nullable=True),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_invitations")),
    )
    op.create_table(
        "jobs",
        sa.Column(
            "job_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("again", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("kind", "subject", name=op.f("uq_jobs_kind_subject")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index("ix_jobs_next_attempt_at", ["next_attempt_at"], unique=False)

    op.create_table(
        "node_documents",
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("dsse", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "version", name=op.f("pk_node_documents")),
    )
    op.create_table(
        "nonces",
        sa.Column("keyid", sa.String(length=26), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("keyid", "nonce", name=op.f("pk_nonces")),
    )
    with op.batch_alter_table("nonces", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_nonces_seen_at"), ["seen_at"], unique=False)

    op.create_table(
        "objects",
        sa.Column(
            "object_row",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("origin", sa.String(length=52), nullable=False),
        sa.Column("stix_id", sa.String(), nullable=False),
        sa.Column("stix_type", sa.String(), nullable=False),
        sa.Column("spec_version", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("version_at", sa.BigInteger(), nullable=True),
        sa.Column("tlp", sa.Integer(), nullable=False),
        sa.Column("machine", sa.Boolean(), nullable=False),
        sa.Column("exercise", sa.Boolean(), nullable=False),
        sa.Column("strength", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("idn", sa.String(), nullable=True),
        sa.Column("name_key", sa.String(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("visible_at", sa.BigInteger(), nullable=True),
        sa.Column("exported_at", sa.BigInteger(), nullable=True),
        sa.Column("acked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("object_row", name=op.f("pk_objects")),
        sa.UniqueConstraint(
            "origin", "stix_id", "version", name=op.f("uq_objects_origin_stix_id_version")
        ),
    )
    with op.batch_alter_table("objects", schema=None) as batch_op:
        batch_op.create_index("ix_objects_origin_name_key", ["origin", "name_key"], unique=False)
        batch_op.create_index("ix_objects_state_origin", ["state", "origin"], unique=False)
        batch_op.create_index(batch_op.f("ix_objects_stix_id"), ["stix_id"], unique=False)

    op.create_table(
        "organisations",
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("node_id", sa.String(length=52), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_organisations")),
    )
    op.create_table(
        "own_node",
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("roles", sa.LargeBinary(), nullable=False),
        sa.Column("green_relay", sa.String(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_own_node")),
    )
    op.create_table(
        "peer_days",
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("objects", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "day", name=op.f("pk_peer_days")),
    )
    op.create_table(
        "peers",
        sa.Column("node_id", sa.String(length=52), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("base", sa.String(), nullable=False),
        sa.Column("trust", sa.Integer(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("inbound", sa.String(), nullable=True),
        sa.Column("cap", sa.Integer(), nullable=True),
        sa.Column("outbound", sa.Integer(), nullable=True),
        sa.Column("daily_limit", sa.Integer(), nullable=True),
        sa.Column("authority", sa.LargeBinary(), nullable=False),
        sa.Column("relay_on", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("last_pull_at", sa.BigInteger(), nullable=True),
        sa.Column("last_success_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error_code", sa.String(), nullable=True),
        sa.Column("last_error_detail", sa.String(), nullable=True),
        sa.Column("last_error_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_peers")),
    )
    op.create_table(
        "statuses",
        sa.Column("status_id", sa.String(length=36), nullable=False),
        sa.Column("token_name", sa.String(), nullable=False),
        sa.Column("collection_id", sa.String(length=36), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("status_id", name=op.f("pk_statuses")),
    )
    op.create_table(
        "carried",
        sa.Column("feed_row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column(
            "object_row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(["feed_row"], ["feeds.feed_row"], name=op.f("fk_carried_feed_row")),
        sa.ForeignKeyConstraint(
            ["object_row"], ["objects.object_row"], name=op.f("fk_carried_object_row")
        ),
        sa.PrimaryKeyConstraint("feed_row", "seq", "object_row", name=op.f("pk_carried")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("carried", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_carried_object_row"), ["object_row"], unique=False)

    op.create_table(
        "entries",
        sa.Column("feed_row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("tlp", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("exercise", sa.Boolean(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("sender", sa.String(length=52), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_row"], ["feeds.feed_row"], name=op.f("fk_entries_feed_row")),
        sa.PrimaryKeyConstraint("feed_row", "seq", name=op.f("pk_entries")),
        sa.UniqueConstraint("hash", name=op.f("uq_entries_hash")),
    )
    op.create_table(
        "tokens",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("max_tlp", sa.Integer(), nullable=False),
        sa.Column("originals", sa.Boolean(), nullable=False),
        sa.Column("zones", sa.LargeBinary(), nullable=False),
        sa.Column("prefixes", sa.LargeBinary(), nullable=False),
        sa.Column("groups", sa.LargeBinary(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.organisation_id"],
            name=op.f("fk_tokens_organisation_id"),
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_table(
        "views",
        sa.Column(
            "view_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("collection_id", sa.String(length=36), nullable=False),
        sa.Column("ceiling", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.String(), nullable=False),
        sa.Column("last_added", sa.BigInteger(), nullable=False),
        sa.Column("in_millisecond", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.collection_id"], name=op.f("fk_views_collection_id")
        ),
        sa.PrimaryKeyConstraint("view_id", name=op.f("pk_views")),
        sa.UniqueConstraint(
            "collection_id",
            "ceiling",
            "organisation_id",
            name=op.f("uq_views_collection_id_ceiling_organisation_id"),
        ),
    )
    op.create_table(
        "grants",
        sa.Column("collection_id", sa.String(length=36), nullable=False),
        sa.Column("token_name", sa.String(), nullable=False),
        sa.Column("can_read", sa.Boolean(), nullable=False),
        sa.Column("can_write", sa.Boolean(), nullable=False),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.collection_id"], name=op.f("fk_grants_collection_id")
        ),
        sa.ForeignKeyConstraint(["token_name"], ["tokens.name"], name=op.f("fk_grants_token_name")),
        sa.PrimaryKeyConstraint("collection_id", "token_name", name=op.f("pk_grants")),
    )
    op.create_table(
        "view_rows",
        sa.Column("view_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("date_added", sa.BigInteger(), nullable=False),
        sa.Column(
            "object_row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("latest", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["object_row"], ["objects.object_row"], name=op.f("fk_view_rows_object_row")
        ),
        sa.ForeignKeyConstraint(["view_id"], ["views.view_id"], name=op.f("fk_view_rows_view_id")),
        sa.PrimaryKeyConstraint("view_id", "date_added", name=op.f("pk_view_rows")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("view_rows", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_view_rows_object_row"), ["object_row"], unique=False)


def downgrade() -> None:
    """Drop every table of release 0.1."""
    with op.batch_alter_table("view_rows", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_view_rows_object_row"))

    op.drop_table("view_rows")
    op.drop_table("grants")
    op.drop_table("views")
    op.drop_table("tokens")
    op.drop_table("entries")
    with op.batch_alter_table("carried", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_carried_object_row"))

    op.drop_table("carried")
    op.drop_table("statuses")
    op.drop_table("peers")
    op.drop_table("peer_days")
    op.drop_table("own_node")
    op.drop_table("organisations")
    with op.batch_alter_table("objects", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_objects_stix_id"))
        batch_op.drop_index("ix_objects_state_origin")
        batch_op.drop_index("ix_objects_origin_name_key")

    op.drop_table("objects")
    with op.batch_alter_table("nonces", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_nonces_seen_at"))

    op.drop_table("nonces")
    op.drop_table("node_documents")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index("ix_jobs_next_attempt_at")

    op.drop_table("jobs")
    op.drop_table("invitations")
    with op.batch_alter_table("feeds", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_feeds_node_id"))

    op.drop_table("feeds")
    op.drop_table("counters")
    op.drop_table("collections")
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_events_at"))

    op.drop_table("audit_events")
