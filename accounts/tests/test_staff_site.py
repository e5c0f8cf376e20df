"""The admin site: a role lets somebody in, and nobody raises himself there."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor
from django.urls import reverse

from accounts.models import Role, User
from accounts.tests.people import person

pytestmark = pytest.mark.django_db


def colleague(role=Role.MANAGER, **fields):
    user = person(role, is_staff=True, **fields)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=("orders", "accounts")))
    user.groups.add(Group.objects.create(name=f"desk {user.pk}"))
    return user


def rights(user):
    user = User.objects.get(pk=user.pk)
    return user.is_staff, user.groups.exists(), user.user_permissions.exists()


def form_of(site, user, **changes):
    """What the browser sends when somebody saves the page of ``user``, with ``changes``."""
    answer = site.get(page(user))
    form = answer.context["adminform"].form
    sent = {}
    for name, field in form.fields.items():
        value = form.get_initial_for_field(field, name)
        if name in ("groups", "user_permissions"):
            value = [row.pk for row in value]
        if value not in (None, False, ""):
            sent[name] = value
    for name in ("last_login", "date_joined"):
        moment = sent.pop(name, None)
        if moment:
            sent |= {f"{name}_0": moment.date().isoformat(), f"{name}_1": moment.time().isoformat("seconds")}
    sent |= changes
    return {name: value for name, value in sent.items() if value is not None}


def page(user):
    return reverse("admin:accounts_user_change", args=[user.pk])


def test_a_colleague_who_is_demoted_reads_nothing_there_any_more(client):
    user = colleague()
    client.force_login(user)
    desk = reverse("admin:orders_baseorder_changelist")
    assert client.get(desk).status_code == 200
    user.role = Role.CLIENT
    user.save()
    assert client.get(desk).status_code == 302
    assert rights(user) == (False, False, False)


@pytest.mark.parametrize("fields", [["role"], ("username", "role")])
def test_rights_go_with_the_role_however_it_is_saved(fields):
    user = colleague()
    user.role = Role.BOOSTER
    user.save(update_fields=fields)
    assert rights(user) == (False, False, False)


def test_a_save_that_does_not_write_the_role_takes_nothing_away():
    user = colleague()
    user.role = Role.CLIENT
    user.email = "x@example.org"
    user.save(update_fields=["email"])
    assert rights(user) == (True, True, True)


def test_who_stays_staff_keeps_what_he_has():
    user = colleague()
    user.role = Role.ADMIN
    user.save()
    assert rights(user) == (True, True, True)


def test_the_database_refuses_a_flag_without_the_role():
    user = colleague()
    with pytest.raises(IntegrityError):
        User.objects.filter(pk=user.pk).update(role=Role.CLIENT)


def test_a_form_says_why_a_client_is_no_staff():
    with pytest.raises(ValidationError, match="Managers and admins alone use the admin site"):
        User(username="carla", password="x", is_staff=True).full_clean()


def test_an_admin_demotes_by_the_role_alone(client):
    user = colleague()
    client.force_login(person(Role.ADMIN, is_staff=True, is_superuser=True))
    answer = client.post(page(user), form_of(client, user, role="client"))
    assert answer.status_code == 302
    assert User.objects.get(pk=user.pk).role == Role.CLIENT
    assert rights(user) == (False, False, False)


def test_the_site_asks_the_role_though_the_flag_were_there(rf):
    from django.contrib import admin

    request = rf.get("/admin/")
    request.user = User(username="x", role=Role.CLIENT, is_staff=True, is_active=True)
    assert not admin.site.has_permission(request)
    request.user.role = Role.MANAGER
    assert admin.site.has_permission(request)


@pytest.mark.parametrize("field", ["role", "is_staff", "is_superuser", "groups", "user_permissions"])
def test_who_may_change_accounts_raises_nobody(client, field):
    client.force_login(colleague())
    user = person(Role.CLIENT)
    group, permission = Group.objects.create(name="all"), Permission.objects.all()[0]
    wish = {
        "role": "admin", "is_staff": "on", "is_superuser": "on", "groups": [group.pk],
        "user_permissions": [permission.pk],
    }[field]  # fmt: skip
    before = rights(user)
    assert client.post(page(user), form_of(client, user, first_name="Carla", **{field: wish})).status_code == 302
    user.refresh_from_db()
    assert user.first_name == "Carla"
    assert (user.role, user.is_superuser, rights(user)) == (Role.CLIENT, False, before)


def test_who_may_add_accounts_adds_no_staff(client):
    client.force_login(colleague())
    words = {"username": "new", "usable_password": "true", "password1": "long enough 1", "password2": "long enough 1"}
    client.post(reverse("admin:accounts_user_add"), {**words, "role": "admin", "is_staff": "on"})
    new = User.objects.get(username="new")
    assert (new.role, new.is_staff) == (Role.CLIENT, False)


@pytest.mark.parametrize("door", ["change", "password", "delete"])
@pytest.mark.parametrize("of", [Role.MANAGER, Role.ADMIN])
def test_who_may_change_accounts_touches_none_of_staff(client, door, of):
    clerk = colleague()
    client.force_login(clerk)
    for other in (person(of), person(Role.ADMIN, is_staff=True, is_superuser=True), clerk):
        before = User.objects.values().get(pk=other.pk)
        url = {"change": page(other), "password": f"/admin/accounts/user/{other.pk}/password/"}.get(door)
        words = {"usable_password": "true", "password1": "long enough 1", "password2": "long enough 1"}
        answer = client.post(
            url or reverse("admin:accounts_user_delete", args=[other.pk]), {**words, "post": "yes", "username": "other"}
        )
        assert answer.status_code == 403
        assert User.objects.values().get(pk=other.pk) == before


def test_the_action_that_deletes_many_spares_staff(client):
    client.force_login(colleague())
    other = person(Role.MANAGER)
    words = {"action": "delete_selected", "_selected_action": [other.pk], "post": "yes"}
    client.post(reverse("admin:accounts_user_changelist"), words)
    assert User.objects.filter(pk=other.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_the_migration_takes_contradicting_flags_away():
    now = [("accounts", "0003_staff_has_staff_role")]
    executor = MigrationExecutor(connection)
    executor.migrate([("accounts", "0001_initial")])
    try:
        clerk, manager = colleague(Role.CLIENT), colleague(Role.MANAGER)
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(now)
    assert rights(clerk) == (False, False, False)
    assert rights(manager) == (True, True, True)
