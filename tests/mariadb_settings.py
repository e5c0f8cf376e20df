"""The settings of the tests, on the MariaDB that ``gameBoosterss.development.mariadb`` has started."""

import os

import pymysql

pymysql.install_as_MySQLdb()
os.environ["DATABASE_URL"] = "sqlite://:memory:"

from tests.settings import *  # noqa: E402, F403

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.mysql",
        "NAME": "gameboosterss",
        "USER": "gameboosterss",
        "PASSWORD": os.environ["MARIADB_PASSWORD"],
        "HOST": "127.0.0.1",
        "PORT": os.environ["MARIADB_PORT"],
        "OPTIONS": {"charset": "utf8mb4", "isolation_level": "read committed"},
    }
}
