from django.apps import AppConfig, apps


class OrdersConfig(AppConfig):
    name = "orders"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        if apps.is_installed("realtime"):
            from orders import feeds  # noqa: F401
