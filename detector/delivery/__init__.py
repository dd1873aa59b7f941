"""Getting incidents out: the outbox worker and the destinations that it serves."""
