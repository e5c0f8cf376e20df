"""Fixtures of the stories."""

from tests.server import server

__all__ = ["server"]
