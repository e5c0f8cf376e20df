"""Fixtures of the stories."""

import pytest

from tests.server import server

__all__ = ["server"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the soak: it takes longest, and other tests run beside it."""
    items.sort(key=lambda item: item.get_closest_marker("soak") is None)
