"""Simulated clients, real attacks and the truth about them."""
