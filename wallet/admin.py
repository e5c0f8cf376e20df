"""The ledger, to read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from wallet.models import Transaction


@admin.register(Transaction)
class TransactionAdmin(admin.ModelAdmin):
    """Shows rows; adds, changes and deletes none."""

    list_display = ("id", "kind", "amount", "status", "order", "user", "created_at")
    list_filter = ("kind", "status")
    list_select_related = ("order", "user")
    search_fields = ("=order__id", "user__username")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
