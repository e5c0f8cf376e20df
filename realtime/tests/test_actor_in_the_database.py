"""Who wrote, as the database stores it: said once a transaction, gone with it, and never instead of the role."""

import pytest
from django.db import connection, transaction

from realtime.actor import acting
from realtime.models import Event
from realtime.tests.people import delivery, logged_in, role, set_status, story, triggers

pytestmark = [pytest.mark.django_db(transaction=True), triggers]


def actors() -> list[str]:
    """Return who wrote the events after the first."""
    return list(Event.objects.filter(version__gt=1).order_by("version").values_list("actor", flat=True))


def nobody() -> str:
    return f"role:{connection.settings_dict['USER']}"


def test_a_forged_actor_stands_beside_the_role_that_forged_it() -> None:
    record = delivery()
    with role() as name:
        with connection.cursor() as cursor:
            cursor.execute(f"GRANT SELECT, UPDATE ON deliveries_delivery TO {name}")
            with logged_in(name), transaction.atomic():
                cursor.execute("SELECT set_config('realtime.actor', 'user:1', true)")
                cursor.execute("UPDATE deliveries_delivery SET status = 'stolen'")
        event = Event.objects.get(version=2)
        assert (event.actor, event.context["role"]) == ("user:1", name)
        with connection.cursor() as cursor, logged_in(name), transaction.atomic():
            cursor.execute(f"SET LOCAL ROLE {name}")
            cursor.execute("UPDATE deliveries_delivery SET status = 'stolen again'")
        event = Event.objects.get(version=3)
        assert (event.actor, event.context["role"]) == (f"role:{name}", name)
    assert story(record)[-1] == (3, "stolen again")


def test_an_actor_does_not_leak_into_the_next_transaction_of_the_connection() -> None:
    record = delivery()
    with acting("user:5", request="r1", reason="asked"), transaction.atomic():
        set_status(record.pk, "packed")
    with transaction.atomic():
        set_status(record.pk, "moving")
    set_status(record.pk, "there")
    assert actors() == ["user:5", nobody(), nobody()]
    assert set(Event.objects.get(version=3).context) == {"role", "source"}


def test_an_actor_said_within_a_transaction_that_rolls_back_is_gone() -> None:
    record = delivery()
    with acting("user:5"), transaction.atomic():
        set_status(record.pk, "lost")
        transaction.set_rollback(True)
    with transaction.atomic():
        set_status(record.pk, "packed")
    with transaction.atomic():
        with acting("user:6"), transaction.atomic():
            set_status(record.pk, "lost")
            transaction.set_rollback(True)
        set_status(record.pk, "moving")
    assert actors() == [nobody(), nobody()]


def test_autocommit_leaves_no_actor_in_the_session() -> None:
    """Outside a transaction nothing is said: there it would stay for whoever gets the connection next."""
    record = delivery()
    with acting("user:5"):
        set_status(record.pk, "packed")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('realtime.actor', true)")
        assert cursor.fetchone()[0] in (None, "")
    set_status(record.pk, "moving")
    assert actors()[1] == nobody()


def test_several_actors_of_one_transaction_leave_the_last_one() -> None:
    record = delivery()
    with transaction.atomic():
        with acting("user:5"):
            set_status(record.pk, "packed")
        with acting("user:6"):
            set_status(record.pk, "moving")
    assert actors() == ["user:6"]
