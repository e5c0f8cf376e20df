"""The admin site of the marketplace: the role lets somebody in, not a flag alone."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from accounts.forms import AdminLoginForm
from accounts.models import STAFF_ROLES, User


class StaffSite(AdminSite):
    """Django's site for managers and admins who have its flag."""

    login_form = AdminLoginForm

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return isinstance(user, User) and user.role in STAFF_ROLES and super().has_permission(request)
