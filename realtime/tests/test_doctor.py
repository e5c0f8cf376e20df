"""``realtime_doctor``: what it finds, that it finds nothing on a system that is well, and that it leaves no trace."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from pytest_django import Settings

from realtime import brokers, log, relay
from realtime.brokers.memory import MemoryBroker
from realtime.doctor import bus, code, paths, probes
from realtime.models import Event, Stream
from realtime.tests.deliveries.models import Delivery, Route, Toll
from realtime.tests.people import delivery, role, trigger_of, triggers
from tests.threads import in_a_thread

pytestmark = pytest.mark.django_db(transaction=True)

Found = list[dict[str, Any]]


def doctor() -> tuple[Found, int]:
    """Return the findings, and the exit code."""
    said, exit_code = StringIO(), 0
    try:
        call_command("realtime_doctor", "--json", stdout=said)
    except SystemExit as ended:
        exit_code = int(str(ended.code))
    return json.loads(said.getvalue()), exit_code


def about(found: Found, words: str) -> dict[str, Any]:
    """Return the one finding that has these words."""
    (finding,) = [finding for finding in found if words in finding["what"]]
    return finding


def bad(found: Found) -> list[str]:
    return [finding["what"] for finding in found if finding["level"] != "ok"]


@pytest.fixture
def record(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Delivery:
    """A delivery with a row in every part, all of it settled, and a bus."""
    memory = MemoryBroker()
    monkeypatch.setattr(brokers, "current", lambda: memory)
    record = delivery()
    Route.objects.create(delivery=record, town="Ulm")
    Toll.objects.create(delivery=record, amount=Decimal("1.50"))
    assert relay.rest(30)
    log.settle(limit=100)
    return record


@contextmanager
def damaged(sql: str) -> Iterator[None]:
    """Run ``sql``; ``migrate`` mends it."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
    try:
        yield
    finally:
        call_command("migrate", verbosity=0)


@triggers
def test_a_system_that_is_well_is_all_ok(record: Delivery) -> None:
    found, exit_code = doctor()
    assert (bad(found), exit_code) == ([], 0)
    for place in ("DeliveryFeed", "RoutePart", "TollPart"):
        outcomes = about(found, place)["details"]
        assert outcomes == dict.fromkeys({**paths.UPDATES, **paths.DELETES, **paths.INSERTS}, "seen")
    assert "no row to probe with" in about(found, "OrderFeed")["what"]


@triggers
def test_its_lines_are_for_people(record: Delivery) -> None:
    said = StringIO()
    drop = "DROP TRIGGER " + trigger_of("deliveries_toll", "update") + " ON deliveries_toll"
    with damaged(drop), pytest.raises(SystemExit) as ended:
        call_command("realtime_doctor", stdout=said)
    assert ended.value.code == 1
    lines = said.getvalue().splitlines()
    assert {line[:6] for line in lines} == {"ok    ", "FAIL  "}
    assert "FAIL  deliveries_toll: triggers missing  -> run migrate, then realtime_reconcile" in lines


@triggers
def test_it_leaves_no_trace(record: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[int] = []
    monkeypatch.setattr(relay, "wake", lambda: woken.append(1))

    def everything() -> list[object]:
        models = (Delivery, Route, Toll, Stream, Event)
        return [list(model._base_manager.order_by("pk").values()) for model in models]

    before = everything()
    doctor()
    assert everything() == before
    assert woken == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM realtime_capture_marks")
        assert cursor.fetchone() == (0,)


@triggers
def test_no_receiver_of_a_signal_is_called_and_all_are_back_afterwards(record: Delivery) -> None:
    called: list[object] = []

    def receiver(**said: Any) -> None:
        called.append(said["sender"])

    signals = (pre_save, post_save, pre_delete, post_delete)
    for signal in signals:
        signal.connect(receiver, sender=Delivery)
    try:
        doctor()
        assert called == []
        record.save()
        assert called == [Delivery, Delivery]
    finally:
        for signal in signals:
            signal.disconnect(receiver, sender=Delivery)


@triggers
@pytest.mark.parametrize(
    ("event", "escaped"),
    [("insert", set(paths.INSERTS)), ("update", set(paths.UPDATES)), ("delete", {*paths.DELETES})],
)
def test_a_write_that_a_missing_trigger_lets_through_is_named(
    record: Delivery, monkeypatch: pytest.MonkeyPatch, event: str, escaped: set[str]
) -> None:
    """Were the catalogue not asked before: the probes find it by themselves."""
    monkeypatch.setattr("realtime.doctor.triggers.examine", lambda connection: [])
    with damaged("DROP TRIGGER " + trigger_of("deliveries_route", event) + " ON deliveries_route"):
        found, exit_code = doctor()
    finding = about(found, "RoutePart")
    assert (finding["level"], exit_code) == ("FAIL", 1)
    assert escaped <= {name for name, outcome in finding["details"].items() if outcome == "escaped"}
    assert about(found, "TollPart")["level"] == "ok"


@triggers
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("ALTER TABLE deliveries_route DISABLE TRIGGER {trigger}", "deliveries_route: triggers disabled"),
        ("COMMENT ON FUNCTION realtime_capture_flush() IS ''", "not those of the declarations"),
    ],
)
def test_triggers_that_do_not_fire_are_named_table_by_table(record: Delivery, damage: str, said: str) -> None:
    with damaged(damage.format(trigger=trigger_of("deliveries_route", "insert"))):
        found, exit_code = doctor()
    assert (bad(found)[0].endswith(said), exit_code) == (True, 1)
    assert about(found, "deliveries_toll")["level"] == "ok"
    assert not any("seen:" in finding["what"] for finding in found), "what fires not need not be tried"


@triggers
def test_roles_that_write_with_triggers_off_are_named(record: Delivery) -> None:
    with role() as name, connection.cursor() as cursor:
        assert name not in about(doctor()[0], "roles that may write")["what"]
        cursor.execute(f"GRANT UPDATE (status) ON deliveries_delivery TO {name}")
        cursor.execute(f"ALTER ROLE {name} SET session_replication_role = replica")
        found, exit_code = doctor()
        assert name in about(found, "roles that may write")["what"]
        assert (about(found, f"{name} in every database")["level"], exit_code) == ("FAIL", 1)


@triggers
def test_a_busy_row_is_waited_for_shortly_and_named(record: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "TRIES", 1)
    results: list[tuple[Found, int]] = []
    with transaction.atomic():
        Delivery.objects.select_for_update().get(pk=record.pk)
        in_a_thread(lambda: results.append(doctor()))
    ((found, exit_code),) = results
    finding = about(found, "DeliveryFeed")
    assert (finding["level"], exit_code) == ("warn", 0)
    assert set(finding["details"].values()) == {"busy"}


@triggers
def test_what_the_database_forbids_is_no_failure(record: Delivery) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the ledger stays'; END $$;"
            "CREATE TRIGGER no BEFORE UPDATE OR DELETE ON deliveries_toll FOR EACH ROW EXECUTE FUNCTION no()"
        )
        try:
            found, exit_code = doctor()
        finally:
            cursor.execute("DROP FUNCTION no() CASCADE")
    finding = about(found, "TollPart")
    assert (finding["level"], exit_code) == ("ok", 0), bad(found)
    assert set(finding["details"].values()) == {"ProgrammingError", "no declared column takes another value"}
    assert re.search("refused: .*(SQL DELETE|delete and cascade)", finding["what"])


def test_records_without_a_stream_and_an_idle_relay_are_warnings(
    record: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "wake", lambda: None)
    delivery()
    Event.objects.filter(pos=None).update(at="2026-01-01T00:00:00Z")
    for model in (Stream, Event):
        model._base_manager.filter(topic=f"delivery.{record.pk}").delete()
    found, exit_code = doctor()
    assert about(found, "delivery: 1 records have no stream")["remedy"] == "run realtime_backfill"
    assert about(found, "relay: 1 events wait")["level"] == "warn"
    assert (exit_code, len(bad(found))) == (0, 2), bad(found)


def test_positions_beyond_the_last_one_given_are_a_failure(record: Delivery) -> None:
    Event.objects.filter(pos=1).update(pos=1000)
    found, exit_code = doctor()
    assert (about(found, "positions: an event has 1000")["level"], exit_code) == ("FAIL", 1)


def test_a_mute_bus_is_a_failure(record: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute(MemoryBroker):
        async def publish(self, group: int, body: str) -> None:
            """Lose it."""

    monkeypatch.setattr(brokers, "current", Mute)
    monkeypatch.setattr(bus, "PATIENCE", 0.3)
    found, exit_code = doctor()
    assert (about(found, "bus: Mute")["level"], exit_code) == ("FAIL", 1)


@pytest.mark.parametrize(("given", "names"), [("ok", False), ("warn", True)])
def test_the_code_that_writes_without_signals_is_named(
    record: Delivery, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str, names: bool
) -> None:
    """Information where triggers see it, a warning where nothing does."""
    module = tmp_path / "services.py"
    module.write_text(
        "Delivery.objects.filter(pk=1).update(status='x')\n"
        "{}.update({'a': 1})\n"
        "Delivery.objects.bulk_create([])\n"
        "cursor.execute('DELETE FROM deliveries_toll')\n"
        "cursor.execute('DELETE FROM elsewhere')\n"
    )
    assert [place.partition(":")[2] for place, _ in code.calls(module)] == ["1", "3", "4"]
    monkeypatch.setattr(code, "_files", lambda: [module])
    (finding,) = code.examine(seen=not names)
    assert finding.level == given
    assert "services.py:3 bulk_create()" in finding.what


def test_where_signals_capture_it_says_what_they_do_not_see(record: Delivery, settings: Settings) -> None:
    settings.REALTIME = {**settings.REALTIME, "CAPTURE": "orm"}
    found, exit_code = doctor()
    assert about(found, "Delivery: save and delete are heard")["level"] == "ok"
    assert about(found, "send no signals")["level"] == "warn"
    assert exit_code == 0
    assert post_save.disconnect(sender=Delivery, dispatch_uid="realtime.save.deliveries.Delivery")
    try:
        found, exit_code = doctor()
        assert (about(found, "deliveries.Delivery: the signals are not connected")["level"], exit_code) == ("FAIL", 1)
    finally:
        from realtime import signals

        signals.connect()
