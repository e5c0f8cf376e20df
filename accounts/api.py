"""Who somebody is, over HTTP, and how a request says it. Every endpoint above asks ``signed_in``."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.security import SessionAuth

from accounts.models import User


class PersonRequest(HttpRequest):
    """A request of somebody who is logged in; ``signed_in`` sees to it."""

    user: User


class SignedIn(SessionAuth):
    """The session cookie of a log-in, and then the CSRF token in ``X-CSRFToken`` where something may be written.

    Or a bearer token, which ``realtime.credentials`` has put in the place of the session.
    """

    def authenticate(self, request: HttpRequest, key: str | None) -> User | None:
        return request.user if isinstance(request.user, User) and request.user.is_active else None


signed_in = SignedIn()
router = Router(tags=["people"])


class Me(Schema):
    """The one who asks."""

    id: int
    username: str
    role: str


@router.get("/me", response=Me, summary="Who I am")
def me(request: PersonRequest) -> Any:
    return request.user
