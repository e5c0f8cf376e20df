"""People for tests."""

from itertools import count
from typing import Any

from accounts.models import Role, User

_numbers = count(1)


def person(role: Role, **fields: Any) -> User:
    """Return a new account; it has no password."""
    return User.objects.create(username=f"{role}{next(_numbers)}", role=role, **fields)
