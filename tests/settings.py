"""The settings of the tests: the marketplace's, and a feed that is no order."""

from gameBoosterss.settings import *  # noqa: F403
from gameBoosterss.settings import DATABASES, INSTALLED_APPS, REALTIME

INSTALLED_APPS = [*INSTALLED_APPS[:-1], "realtime.tests.deliveries", INSTALLED_APPS[-1]]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Some tests look as who the database does not know; those of identity ask more often.
REALTIME = REALTIME | {"LINGER_SECONDS": 0.1, "IDENTITY_SECONDS": 3600.0}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file: threads that share a database in memory get "table is locked" at once, whatever the time-out.
    DATABASES["default"]["TEST"] = {"NAME": f"{DATABASES['default']['NAME']}.test"}
