"""What every test may use: the servers' fixtures (`kafka_bootstrap`, `postgres_database_url`, …)."""

pytest_plugins = ["tests.services.fixtures"]
