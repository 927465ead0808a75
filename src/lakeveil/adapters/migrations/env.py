"""Alembic's entry point: migrate over the connection that `upgrade` hands in."""

from alembic import context

from lakeveil.adapters.tables.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
