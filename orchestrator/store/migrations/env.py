"""Run by Alembic: applies revisions on the connection, and in the transaction, of the caller."""

from __future__ import annotations

from alembic import context

from orchestrator.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite's DDL is transactional too: a migration is whole or nothing
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
