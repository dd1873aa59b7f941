"""The HTTP API: a FastAPI application over the use cases and the store's ports."""
