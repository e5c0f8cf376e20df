"""The log-in, on the pages and in the admin site: with a name from an address, one try at a time.

A failed try counts when its password was looked at. Twenty that come at once would be twenty passwords, whatever the
limit of failed tries is.
"""

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, UserChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.address import address_of
from accounts.lockout import UNDER_WAY, say_under_way
from accounts.models import STAFF_ROLES
from accounts.turns import Turns

_tries = Turns()


class OneTry(AuthenticationForm):
    """Looks at one password at a time; the other try is refused with 429, and does not count."""

    def clean(self) -> dict[str, Any]:
        if self.request is None:
            return super().clean()
        with _tries.taken((self.cleaned_data.get("username"), address_of(self.request))) as mine:
            if mine:
                return super().clean()
        say_under_way(self.request)
        raise ValidationError(UNDER_WAY, code="under_way")


class LoginForm(OneTry):
    """The log-in of the pages."""


class AdminLoginForm(OneTry, AdminAuthenticationForm):
    """The log-in of the admin site: staff only."""


class PasswordForm(PasswordChangeForm):
    """Another password, for who knows the old one. A wrong one counts as a failed log-in: whoever sits before a
    session that is open has no more tries than a stranger.
    """

    def __init__(self, *args: Any, request: HttpRequest, **options: Any) -> None:
        super().__init__(*args, **options)
        self.request = request
        for field in self.fields.values():
            field.help_text = ""  # the page says it in one sentence

    def clean_old_password(self) -> str:
        old: str = self.cleaned_data["old_password"]
        name = self.user.get_username()
        with _tries.taken((name, address_of(self.request))) as mine:
            if not mine:
                say_under_way(self.request)
            elif authenticate(self.request, username=name, password=old) == self.user:
                return old
        raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")


class AccountForm(UserChangeForm):
    """An account in the admin site; the rights that were ticked do not outlive the role that they go with."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "role" in cleaned and cleaned["role"] not in STAFF_ROLES:
            for name in {"groups", "user_permissions"} & cleaned.keys():
                cleaned[name] = cleaned[name].none()
        return cleaned
