"""Use cases and the ports they need. No input or output happens here."""
