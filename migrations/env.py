"""Alembic's entry: run the migrations on the connection that was handed over, quietly."""

from __future__ import annotations

from alembic import context

from bokeh_server.storage.tables import Base


def run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        compare_server_default=True,
        user_module_prefix="bokeh_server.storage.types.",
    )
    with context.begin_transaction():
        context.run_migrations()


run()
