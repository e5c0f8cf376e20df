"""Who somebody is. One account has one role."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q


class Role(models.TextChoices):
    CLIENT = "client", "client"
    BOOSTER = "booster", "booster"
    MANAGER = "manager", "manager"
    ADMIN = "admin", "admin"


STAFF_ROLES = frozenset({Role.MANAGER, Role.ADMIN})


class UserManager(DjangoUserManager["User"]):
    """Makes accounts; a superuser is an admin."""

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **extra: Any
    ) -> "User":
        extra.setdefault("role", Role.ADMIN)
        return super().create_superuser(username, email, password, **extra)


class User(AbstractUser):
    """An account: a client buys, a booster plays, a manager runs operations, an admin runs the platform."""

    role = models.CharField(max_length=10, choices=Role.choices, default=Role.CLIENT)

    objects: ClassVar[UserManager] = UserManager()

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="user_role_known"),
            models.CheckConstraint(
                condition=Q(is_superuser=False) | Q(role=Role.ADMIN), name="user_superuser_is_admin"
            ),
        ]

    def clean(self) -> None:
        super().clean()
        if self.is_superuser and self.role != Role.ADMIN:
            raise ValidationError(
                {"role": "A superuser has the role admin: choose it, or take the superuser status away."}
            )
