from typing import Any

from django.conf import settings
from django.contrib.auth.views import LoginView

from accounts.forms import LoginForm

# The accounts that ./dev run makes; see the command demo_data.
DEMO_LOGINS = ("client", "booster", "manager", "admin")


class Login(LoginView):
    """The log-in; with DEBUG on it shows the demo accounts."""

    authentication_form = LoginForm
    template_name = "accounts/login.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(demo_logins=DEMO_LOGINS if settings.DEBUG else (), **kwargs)
