"""Who has read account data. The data itself has no page here."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from vault.models import Reading


@admin.register(Reading)
class ReadingAdmin(admin.ModelAdmin):
    """Shows rows; adds, changes and deletes none."""

    list_display = ("id", "order", "reader", "role", "address", "at")
    list_filter = ("role",)
    list_select_related = ("order", "reader")
    search_fields = ("=order__id", "reader__username", "=address")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
