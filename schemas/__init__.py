"""JSON Schemas of what querywatch reads and prints, with examples."""
