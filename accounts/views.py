from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.http import HttpResponse
from django.shortcuts import resolve_url

from accounts.forms import LoginForm, PasswordForm

# The accounts that ./dev run makes; see the command demo_data.
DEMO_LOGINS = ("client", "booster", "manager", "admin")


class Login(LoginView):
    """The log-in; with DEBUG on it shows the demo accounts."""

    authentication_form = LoginForm
    template_name = "accounts/login.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(demo_logins=DEMO_LOGINS if settings.DEBUG else (), **kwargs)


class Password(PasswordChangeView):
    """Another password for oneself. It ends every other session and token of the account, and their sockets."""

    form_class = PasswordForm
    template_name = "accounts/password.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def get_success_url(self) -> str:
        return resolve_url(settings.LOGIN_REDIRECT_URL)

    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        messages.success(self.request, "Your password is changed. You are logged out everywhere else.")
        return answer
