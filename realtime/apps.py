"""The app's start: the feeds of all apps are declared, now their models are heard."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.module_loading import autodiscover_modules


class RealtimeConfig(AppConfig):
    """Declare what is synchronised, and every committed change reaches every dashboard that may see it."""

    name = "realtime"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, installation, signals  # noqa: F401 - models may be imported only now

        autodiscover_modules("feeds")
        signals.connect()
        pre_migrate.connect(installation.before_migrate, sender=self)
        post_migrate.connect(installation.after_migrate, sender=self)
