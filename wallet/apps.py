from django.apps import AppConfig, apps


class WalletConfig(AppConfig):
    name = "wallet"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from wallet import receivers  # noqa: F401

        if apps.is_installed("realtime"):
            from wallet import feeds  # noqa: F401
