"""What the product costs beside bare Kafka, a naive pipeline and PRADA: `python -m tests.bench`."""
