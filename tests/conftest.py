"""What every test may use: servers (`kafka_bootstrap`, `postgres_database_url`, …)."""

pytest_plugins = ["tests.services.fixtures"]
