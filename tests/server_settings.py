"""The marketplace's settings for a server of the stories, which may shrink or stretch what ``REALTIME`` holds."""

import json
import os

from gameBoosterss.settings import *  # noqa: F403
from gameBoosterss.settings import MIDDLEWARE, REALTIME

REALTIME = REALTIME | json.loads(os.environ.get("REALTIME_SETTINGS", "{}"))
MIDDLEWARE = ["django.middleware.gzip.GZipMiddleware", *MIDDLEWARE]  # as a project may have it: it must hold nothing up
