"""Reads that many share: each is begun after it was asked for, and in a storm their number is that of its quarters."""

import asyncio

import pytest

from realtime.batch import Batch


class Shelf:
    """What is read from; each read takes as long as the test wants."""

    def __init__(self) -> None:
        self.values = {"a": 1, "b": 2}
        self.reads: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def read(self, keys: list[str]) -> dict[str, int]:
        self.reads.append(keys)
        found = {key: self.values[key] for key in keys if key in self.values}
        await self.gate.wait()
        if self.error:
            raise self.error
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
