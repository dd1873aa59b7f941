"""Real workers on a real broker and a real database, killed while they work."""
