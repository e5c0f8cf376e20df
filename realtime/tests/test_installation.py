"""What is written while a migration has the triggers off is told when they are in force again."""

import pytest
from django.core.management import call_command
from django.db import connection

from realtime.capture import postgres
from realtime.models import Event, Stream
from realtime.tests.deliveries.models import Delivery
from realtime.tests.people import delivery, events, story

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="triggers are PostgreSQL's"),
]


def migrate() -> None:
    call_command("migrate", verbosity=0)


def test_what_a_migration_wrote_becomes_events() -> None:
    changed, same, gone = delivery(), delivery(), delivery()
    key = gone.pk
    postgres.remove("default")
    try:
        Delivery.objects.filter(pk=changed.pk).update(status="moved by hand")
        gone.delete()
        assert story(changed) == [(1, "waiting")]
    finally:
        migrate()
    assert story(changed) == [(1, "waiting"), (2, "moved by hand")]
    assert events(changed)[-1].actor == "command:migrate"
    assert story(same) == [(1, "waiting")]
    gone.pk = key
    assert story(gone) == [(1, "waiting"), (2, "gone")]


def test_a_record_that_the_log_does_not_know_waits_for_its_first_change() -> None:
    record = delivery()
    Stream.objects.all().delete()
    Event.objects.all().delete()
    postgres.remove("default")
    migrate()
    assert story(record) == []


def test_a_second_migrate_finds_nothing_to_do() -> None:
    record = delivery()
    installed = postgres.installed(connection)
    migrate()
    assert (story(record), postgres.installed(connection)) == ([(1, "waiting")], installed)
