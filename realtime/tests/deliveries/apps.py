from django.apps import AppConfig


class DeliveriesConfig(AppConfig):
    name = "realtime.tests.deliveries"
    label = "deliveries"
    default_auto_field = "django.db.models.BigAutoField"
