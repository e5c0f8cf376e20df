"""The marketplace's settings as production has them, with the collected files in a folder of the test."""

import os

from gameBoosterss.settings import *  # noqa: F403

STATIC_ROOT = os.environ["STATIC_FOLDER"]
