"""The database edge: tables, rows, repositories, the store and its migrations."""
