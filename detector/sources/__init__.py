"""Where log records come from: Kafka and files, behind the `Source` port."""
