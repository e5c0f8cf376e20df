"""An action on many deliveries, as the admin site does it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from .models import Delivery


@admin.action(description="Set the status")
def set_status(_: Any, request: HttpRequest, rows: QuerySet[Delivery]) -> None:
    rows.update(status=request.POST["status"])


@admin.register(Delivery)
class DeliveryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    actions = (set_status,)
