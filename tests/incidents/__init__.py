"""Tests of the incident aggregate."""
