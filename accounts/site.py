"""The admin site of the marketplace: the role lets somebody in, not a flag alone."""

from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from accounts.forms import AdminLoginForm
from accounts.models import STAFF_ROLES, User


class StaffSite(AdminSite):
    """Django's site for managers and admins who have its flag."""

    login_form = AdminLoginForm

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return isinstance(user, User) and user.role in STAFF_ROLES and super().has_permission(request)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Refuse a NUL in the query with 400: PostgreSQL has none in text, and a filter would be an error of ours."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def asked(request: HttpRequest, *args: Any, **options: Any) -> HttpResponseBase:
            if any("\x00" in text for pair in request.GET.lists() for text in (pair[0], *pair[1])):
                return HttpResponseBadRequest("The address has a character that is no text.", content_type="text/plain")
            answer: HttpResponseBase = inner(request, *args, **options)
            return answer

        return asked

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # type: ignore[override]
        """Lead to the page that everybody has: there a wrong old password counts as a failed log-in."""
        return redirect("accounts:password")
