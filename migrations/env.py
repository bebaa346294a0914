"""Alembic's entry: always over the connection that ``hub.storage.migrate`` hands in."""

from alembic import context

from hub.storage.tables import METADATA

connection = context.config.attributes["connection"]
if connection is None:
    raise RuntimeError("Run migrations with `tocsin db upgrade`.")
context.configure(
    connection=connection,
    target_metadata=METADATA,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
# The caller owns the transaction, so that a failed migration leaves nothing behind.
context.run_migrations()
