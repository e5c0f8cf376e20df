import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from accounts.models import Role, User

pytestmark = pytest.mark.django_db


def test_an_account_is_a_client_unless_somebody_says_otherwise():
    assert User.objects.create_user("carla").role == Role.CLIENT


def test_a_superuser_is_an_admin():
    assert User.objects.create_superuser("root", password="x").role == Role.ADMIN


def test_the_database_refuses_a_superuser_with_another_role():
    with pytest.raises(IntegrityError):
        User.objects.create(username="carla", role=Role.CLIENT, is_superuser=True)


def test_a_form_says_why_a_superuser_needs_the_role_admin():
    user = User(username="carla", password="x", role=Role.MANAGER, is_superuser=True)
    with pytest.raises(ValidationError, match="A superuser has the role admin"):
        user.full_clean()


def test_the_database_refuses_an_unknown_role():
    with pytest.raises(IntegrityError):
        User.objects.create(username="carla", role="owner")
