"""The database schema's history (Alembic); `querywatch migrate` applies it."""
