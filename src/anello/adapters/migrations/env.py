"""How Alembic runs a migration here: on the connection, and in the transaction, it is given."""

from alembic import context

from anello.service.records import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
