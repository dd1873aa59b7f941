"""The loop that carries records from a source through processing into the database."""
