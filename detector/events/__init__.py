"""The canonical prediction event: log records, decoding, sanitising, columns."""
