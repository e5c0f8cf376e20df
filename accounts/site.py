"""The admin site of the marketplace: the role lets somebody in, not a flag alone."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.forms import AdminLoginForm
from accounts.models import STAFF_ROLES, User


class StaffSite(AdminSite):
    """Django's site for managers and admins who have its flag."""

    login_form = AdminLoginForm

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return isinstance(user, User) and user.role in STAFF_ROLES and super().has_permission(request)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # type: ignore[override]
        """Lead to the page that everybody has: there a wrong old password counts as a failed log-in."""
        return redirect("accounts:password")
