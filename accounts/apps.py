from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"


class StaffSiteConfig(AdminConfig):
    """Django's admin with the site that asks the role."""

    default_site = "accounts.site.StaffSite"
