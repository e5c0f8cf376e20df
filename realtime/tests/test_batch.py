"""Reads that many share: each is begun after it was asked for, and in a storm their number is that of its quarters."""

import asyncio

import pytest
from django.db import DataError, OperationalError

from realtime.batch import Batch


class Shelf:
    """What is read from; each read takes as long as the test wants."""

    def __init__(self) -> None:
        self.values = {"a": 1, "b": 2}
        self.reads: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.poison: set[str] = set()

    async def read(self, keys: list[str]) -> dict[str, int]:
        self.reads.append(keys)
        found = {key: self.values[key] for key in keys if key in self.values}
        await self.gate.wait()
        if self.error:
            raise self.error
        if self.poison.intersection(keys):
            raise DataError("no text")
        return found


@pytest.fixture
async def shelf() -> Shelf:
    return Shelf()


async def test_who_asks_while_a_read_is_under_way_gets_what_is_read_after_he_asked(shelf: Shelf) -> None:
    batch = Batch(shelf.read)
    shelf.gate.clear()
    first = asyncio.ensure_future(batch.get(["a"]))
    while not shelf.reads:
        await asyncio.sleep(0)
    shelf.values["a"] = 10
    later = [asyncio.ensure_future(batch.get(keys)) for keys in (["a"], ["a", "b"], ["none"])]
    shelf.gate.set()
    assert await first == {"a": 1}
    assert await asyncio.gather(*later) == [{"a": 10}, {"a": 10, "b": 2}, {}]
    assert [sorted(keys) for keys in shelf.reads] == [["a"], ["a", "b", "none"]]


async def test_who_is_about_to_ask_is_waited_for_but_not_for_long(shelf: Shelf) -> None:
    coming = [True]
    batch = Batch(shelf.read, expecting=lambda: coming[0])
    first = asyncio.ensure_future(batch.get(["a"]))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(batch.get(["a", "b"]))
    await asyncio.sleep(0)
    coming[0] = False
    assert [await first, await second] == [{"a": 1}, {"a": 1, "b": 2}]
    assert [sorted(keys) for keys in shelf.reads] == [["a", "b"]]
    coming[0] = True
    assert await batch.get(["b"]) == {"b": 2}, "whoever never comes holds up nobody"


async def test_a_failed_read_fails_those_who_shared_it_and_nobody_else(shelf: Shelf) -> None:
    batch = Batch(shelf.read)
    shelf.error = OSError("away")
    both = [asyncio.ensure_future(batch.get([key])) for key in "ab"]
    for asked in both:
        with pytest.raises(OSError, match="away"):
            await asked
    shelf.error = None
    assert await batch.get(["a"]) == {"a": 1}


async def test_an_error_stays_with_who_asked_for_what_caused_it(shelf: Shelf) -> None:
    batch = Batch(shelf.read)
    keys = [str(number) for number in range(64)]
    shelf.values, shelf.poison = {key: int(key) for key in keys}, {"21"}
    asked = [asyncio.ensure_future(batch.get([key])) for key in keys]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(answers.pop(21), DataError)
    assert answers == [{key: int(key)} for key in keys if key != "21"]
    assert len(shelf.reads) == 1 + 2 * 6, "halved until it stands alone"
    found, errors = await batch.each(keys)
    assert (len(found), list(errors)) == (63, ["21"])


async def test_many_such_keys_cost_two_reads_each_at_most_and_the_next_crowd_nothing(shelf: Shelf) -> None:
    batch = Batch(shelf.read)
    shelf.poison = {str(number) for number in range(64)}
    found, errors = await batch.each([*shelf.poison, "a"])
    assert (found, set(errors)) == ({"a": 1}, shelf.poison)
    assert len(shelf.reads) < 2 * 65
    shelf.reads.clear()
    assert await asyncio.gather(*[batch.get(["a"]) for _ in range(9)]) == [{"a": 1}] * 9
    assert len(shelf.reads) == 1


async def test_a_database_that_is_away_is_not_asked_again_for_each(shelf: Shelf) -> None:
    batch = Batch(shelf.read)
    shelf.error = OperationalError("away")
    answers = await asyncio.gather(*[batch.get([key]) for key in "abc"], return_exceptions=True)
    assert [type(answer) for answer in answers] == [OperationalError] * 3
    assert len(shelf.reads) == 1


async def test_who_gives_up_takes_nobody_with_him(shelf: Shelf) -> None:
    batch = Batch(shelf.read)
    shelf.gate.clear()
    leaving, staying = [asyncio.ensure_future(batch.get(["a"])) for _ in range(2)]
    await asyncio.sleep(0)
    leaving.cancel()
    shelf.gate.set()
    assert await staying == {"a": 1}


async def test_in_a_storm_reads_are_apart(shelf: Shelf) -> None:
    batch, loop = Batch(shelf.read), asyncio.get_running_loop()
    began, asking = loop.time(), list[asyncio.Future[dict[str, int]]]()
    for _ in range(400):
        asking.append(asyncio.ensure_future(batch.get(["a"])))
        await asyncio.sleep(0.002)
    await asyncio.gather(*asking)
    assert len(shelf.reads) <= 25 + 5 * (loop.time() - began), "20 one by one, then four a second"
    shelf.reads.clear()
    await asyncio.sleep(1.1)  # the storm is over
    for _ in range(5):
        await batch.get(["a"])
    assert len(shelf.reads) == 5
