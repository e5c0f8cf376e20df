"""The marketplace's settings for the server in front of which browsers stand: its hub ends with its last socket."""

from gameBoosterss.settings import *  # noqa: F403
from gameBoosterss.settings import REALTIME

REALTIME = REALTIME | {"LINGER_SECONDS": 0.0}
