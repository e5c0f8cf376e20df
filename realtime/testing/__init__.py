"""Help for the tests of a project that uses ``realtime``; docs/how-to/test-your-project.md shows it at work.

Import what you need, and in pytest name the module once, in the ``conftest.py`` at the root, for its fixtures::

    pytest_plugins = ["realtime.testing"]

Nothing here imports pytest but the plugin, which only pytest loads.
"""

from .committing import capture_at_once, committed, quiet
from .faults import Faults, LossyBroker, LossyChannelLayer
from .history import assert_in_step, events_of, frames_of
from .sockets import Socket, connect_as

__all__ = [
    "Faults",
    "LossyBroker",
    "LossyChannelLayer",
    "Socket",
    "assert_in_step",
    "capture_at_once",
    "committed",
    "connect_as",
    "events_of",
    "frames_of",
    "quiet",
]

pytest_plugins = ["realtime.testing.plugin"]
