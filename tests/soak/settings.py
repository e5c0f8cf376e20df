"""The settings of the soak's servers: those of the stories, with pages that ask for no collected files."""

from tests.server_settings import *  # noqa: F403
from tests.server_settings import STORAGES

STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
