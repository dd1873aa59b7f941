"""A deterministic simulator of several workers: one seed decides everything that goes wrong."""
