from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.http import HttpRequest

from accounts.forms import AccountForm
from accounts.models import STAFF_ROLES, User

RIGHTS = ("role", "is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """Django's own page for accounts, with the role.

    What makes somebody staff, and the accounts of staff, are for superusers: whoever may change accounts could give
    himself the rest, or another's password.
    """

    form = AccountForm
    list_display = ("username", "role", "email", "is_active", "is_staff")
    list_filter = ("role", "is_active", "is_staff")
    fieldsets = (*(DjangoUserAdmin.fieldsets or ()), ("Marketplace", {"fields": ("role",)}))
    add_fieldsets = (*DjangoUserAdmin.add_fieldsets, ("Marketplace", {"fields": ("role",)}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if _is_superuser(request) else (*fields, *RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)


def _is_superuser(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_superuser


def _may_touch(request: HttpRequest, obj: object) -> bool:
    if not isinstance(obj, User) or _is_superuser(request):
        return True
    return not (obj.is_staff or obj.is_superuser or obj.role in STAFF_ROLES)
