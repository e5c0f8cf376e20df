"""Tests of the house as a whole; each app has its own beside its code."""
