"""Tests of the database edge."""
