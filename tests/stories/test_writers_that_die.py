"""A writer may end in any way after its commit: what it wrote is settled and seen (invariant I15)."""

import time
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async

from realtime.models import Event
from tests.bus import carried, versions
from tests.children import run, write_and_be_killed
from tests.engines import child_environment
from tests.people import Cast, cast
from tests.server import PATIENCE, Server, running, unbroken
from tests.stories.conftest import settled


@pytest.fixture(scope="module")
def repairing(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that settles what others left while it has sockets, and not a moment longer."""
    with running(tmp_path_factory.mktemp("repairing"), child_environment(), linger_seconds=0) as server:
        yield server


@pytest.fixture(scope="module")
def unrepaired(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that does not look at the database by itself, and settles nothing: what comes, came by a hint."""
    with running(tmp_path_factory.mktemp("unrepaired"), child_environment(), repair_seconds=3600) as server:
        yield server


def resting_cast() -> Cast:
    """A cast whose making is settled: this process's relay is asleep, and will not do another's work."""
    people = cast()
    settled()
    return people


def position_of(people: Cast, note: str) -> int | None:
    return Event.objects.get(topic=f"order.{people.order.pk}", state__note=note).pos


def gets_a_position(people: Cast, note: str) -> bool:
    until = time.monotonic() + PATIENCE
    while position_of(people, note) is None and time.monotonic() < until:
        time.sleep(0.02)
    return position_of(people, note) is not None


async def test_what_was_committed_before_a_kill_is_settled_and_seen(repairing: Server) -> None:
    people = await sync_to_async(resting_cast)()
    async with repairing.watch(f"/ws/orders/{people.order.pk}/", people.booster) as watch:
        first = await watch.next()
        for number in (1, 2):
            await sync_to_async(write_and_be_killed)(people.order.pk, f"last words {number}")
            frame = await watch.until(first["version"] + number)
            assert frame["note"] == f"last words {number}"
        unbroken(watch.frames)
        assert await sync_to_async(gets_a_position)(people, "last words 2")


def test_nothing_is_settled_by_a_process_that_was_killed(db: None) -> None:
    people = resting_cast()
    write_and_be_killed(people.order.pk, "unsettled")
    assert position_of(people, "unsettled") is None


def test_a_process_that_ends_settles_what_it_wrote(db: None) -> None:
    people = resting_cast()
    ended = run(f"write({people.order.pk}, 'and gone')")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert position_of(people, "and gone")


def test_a_process_that_ends_by_an_error_settles_what_it_committed(db: None) -> None:
    people = resting_cast()
    ended = run(
        f"""
        write({people.order.pk}, "committed")
        with transaction.atomic():
            write({people.order.pk}, "not committed")
            raise SystemExit("wrong")
        """
    )
    assert ended.returncode == 1
    assert position_of(people, "committed")
    assert not Event.objects.filter(state__note="not committed").exists()


def test_a_process_ends_in_time_when_the_layer_is_away(db: None) -> None:
    people = resting_cast()
    ended = run(f"write({people.order.pk}, 'into the void')", REDIS_URL="redis://127.0.0.1:9/0")
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    assert position_of(people, "into the void")


async def test_the_hint_of_a_process_that_ends_reaches_viewers(unrepaired: Server) -> None:
    people = await sync_to_async(resting_cast)()
    async with unrepaired.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch:
        first = await watch.next()
        await carried(watch, people.order.pk)
        ended = await sync_to_async(run)(f"write({people.order.pk}, 'farewell')")
        assert ended.returncode == 0
        assert (await watch.until(first["version"] + 1))["note"] == "farewell"
        unbroken(versions(watch))


FORKING = """
write({order}, "parent")
assert settled({order}, "parent")          # its relay runs, and sleeps now
connections.close_all()
child = os.fork()
if child == 0:
    write({order}, "forked child")
    os._exit(0 if settled({order}, "forked child") else 1)
_, status = os.waitpid(child, 0)
assert status == 0, status
write({order}, "parent again")
"""

MULTIPROCESSING = """
import multiprocessing
write({order}, "parent")
assert settled({order}, "parent")
connections.close_all()
context = multiprocessing.get_context("fork")
children = [context.Process(target=write, args=({order}, f"child {{number}}")) for number in range(3)]
for child in children:
    child.start()
    child.join()
    assert child.exitcode == 0
"""


async def test_a_forked_child_settles_and_is_heard_and_so_is_its_parent_after_it(unrepaired: Server) -> None:
    people = await sync_to_async(resting_cast)()
    async with unrepaired.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch:
        first = await watch.next()
        await carried(watch, people.order.pk)
        ended = await sync_to_async(run)(FORKING.format(order=people.order.pk))
        assert ended.returncode == 0, ended.stderr
        await watch.until(first["version"] + 3)
        unbroken(versions(watch))
        assert [frame["note"] for frame in versions(watch)[1:]] == ["parent", "forked child", "parent again"]


async def test_children_of_multiprocessing_are_seen_though_they_end_without_a_word(repairing: Server) -> None:
    people = await sync_to_async(resting_cast)()
    async with repairing.watch(f"/ws/orders/{people.order.pk}/", people.client) as watch:
        first = await watch.next()
        ended = await sync_to_async(run)(MULTIPROCESSING.format(order=people.order.pk))
        assert ended.returncode == 0, ended.stderr
        await watch.until(first["version"] + 4)
        unbroken(watch.frames)
        assert [frame["note"] for frame in watch.frames[1:]] == ["parent", "child 0", "child 1", "child 2"]
        assert await sync_to_async(gets_a_position)(people, "child 2")
