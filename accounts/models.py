"""Who somebody is. One account has one role."""

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.core.exceptions import ValidationError
from django.db import models, transaction
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

    stored_role: str | None = None
    """The role that the database has, as far as this object has read or written it."""

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(condition=Q(role__in=Role.values), name="user_role_known"),
            models.CheckConstraint(
                condition=Q(is_superuser=False) | Q(role=Role.ADMIN), name="user_superuser_is_admin"
            ),
            models.CheckConstraint(
                condition=Q(is_staff=False) | Q(role__in=(Role.MANAGER, Role.ADMIN)), name="user_staff_has_staff_role"
            ),
        ]

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any) -> Self:
        user = super().from_db(db, field_names, values, **options)
        user.stored_role = user.__dict__.get("role")
        return user

    def refresh_from_db(self, using: Any = None, fields: Any = None, from_queryset: Any = None) -> None:
        super().refresh_from_db(using, fields, from_queryset)
        if fields is None or "role" in fields:
            self.stored_role = self.role

    @property
    def is_demoted(self) -> bool:
        """Whether saving takes a role of staff away."""
        return self.stored_role in STAFF_ROLES and self.role not in STAFF_ROLES

    def clean(self) -> None:
        super().clean()
        if self.is_superuser and self.role != Role.ADMIN:
            raise ValidationError(
                {"role": "A superuser has the role admin: choose it, or take the superuser status away."}
            )
        if self.is_demoted:
            self.is_staff = False
        if self.is_staff and self.role not in STAFF_ROLES:
            raise ValidationError({"is_staff": "Managers and admins alone use the admin site: choose such a role."})

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Store it. Who stops being staff loses what went with it: the flag, groups and permissions."""
        update_fields = None if update_fields is None else [*update_fields]
        writes_role = update_fields is None or "role" in update_fields
        demoted = self.is_demoted and writes_role
        if demoted:
            self.is_staff = False
            update_fields = None if update_fields is None else [*update_fields, "is_staff"]
        with transaction.atomic():
            super().save(*args, update_fields=update_fields, **options)
            if demoted:
                self.groups.clear()
                self.user_permissions.clear()
        if writes_role:
            self.stored_role = self.role
