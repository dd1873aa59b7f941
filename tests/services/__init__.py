"""Real servers for the tests: Apache Kafka and PostgreSQL, started for one test session."""
