"""What is remembered of each client and model, how a query updates it, and what is read from it."""
