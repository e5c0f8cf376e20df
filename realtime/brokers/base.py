"""The seam of a broker, and what each one promises. ``tests/test_brokers.py`` holds every broker to it."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from ..exceptions import BrokerError

__all__ = ["GROUPS", "Broker", "BrokerError", "Heard", "Hinted"]

GROUPS = 16
"""Fixed groups of the bus, by hash of the topic; every process with sockets joins them all."""

Heard = Callable[[str], None]
"""Takes a body from the bus, on the listener's loop. Does not raise."""
Hinted = Callable[[str, str, str], None]
"""Takes ``(feed name, key, message)`` from a foreign sender, on the listener's loop; the key may be empty where the
sender did not say which record. Does not raise."""


class Broker(ABC):
    """Carries bodies from any process to every listener. May lose, double and reorder; must not hang.

    Every method ends within ``REALTIME["BROKER_TIMEOUT"]`` (``listen`` apart) or raises ``BrokerError``. One instance
    serves all loops and threads of a process.
    """

    @abstractmethod
    async def publish(self, group: int, body: str) -> None:
        """Hand ``body`` to every listener of every process."""

    @abstractmethod
    async def hint(self, feed_name: str, key: str, message: str) -> None:
        """Tell every process that follows the record that it may have changed."""

    @abstractmethod
    async def listen(self, heard: Heard, hinted: Hinted) -> None:
        """Pass on what is published until cancelled; raise ``BrokerError`` when the bus is lost."""

    @abstractmethod
    async def follow(self, feed_name: str, key: str) -> None:
        """Take foreign hints for this record on the running loop's listener."""

    @abstractmethod
    async def unfollow(self, feed_name: str, key: str) -> None:
        """Take no more foreign hints for this record."""
