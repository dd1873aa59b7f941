"""Delivery, to real receivers."""
