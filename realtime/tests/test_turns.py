"""Who says much at once is heard a little at a time, and everybody else in between."""

import asyncio
from functools import partial
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from realtime.gateways.sockets import WAITING_MESSAGES, paced
from realtime.gateways.turns import FRAMES
from realtime.tests.unplugged import House
from tests.wire import PING, frame


@pytest.fixture
def house() -> House:
    return House()


def texts(many: int) -> bytes:
    return b"".join(frame(str(number).encode()) for number in range(many))


def test_who_says_much_has_many_turns(house: House) -> None:
    socket, many = house.open("a"), 2 * FRAMES + 1
    socket.dataReceived(texts(many))
    assert len(house.heard) == FRAMES
    assert socket.transport.producerState == "paused", "what is to come waits where it is"
    assert [house.go_round() for _ in range(3)] == [FRAMES, 1, 0]
    assert [text for _, text in house.heard] == [str(number) for number in range(many)]
    assert socket.transport.producerState == "producing"


def test_a_round_takes_no_more_of_many_than_of_one(house: House) -> None:
    for name in "abcdefgh":
        house.open(name).dataReceived(texts(2 * FRAMES))
    assert len(house.heard) == FRAMES
    assert [house.go_round() for _ in range(16)] == [*[FRAMES] * 15, 0]
    assert {name: house.heard.index((name, "0")) for name in "bcdefgh"} == {
        name: FRAMES * at
        for at, name in enumerate("bcdefgh", 2)  # the second turn was that of the first again
    }, "who has had a turn stands behind who has not"


def test_what_is_no_message_takes_turns_as_well(house: House) -> None:
    socket = house.open("a")
    socket.dataReceived(frame(b"", PING) * (FRAMES + 2) + texts(1))
    assert house.heard == []
    house.go_round()
    assert house.heard == [("a", "0")]


async def test_an_application_takes_turns_with_what_it_hears(house: House) -> None:
    """What came is in memory already; what it makes the application do is what takes time."""
    taken: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while True:
            taken.append((await receive())["text"])

    async def receive() -> Any:
        if len(taken) > 10:
            await asyncio.Event().wait()  # a test that hangs says less than one that fails
        return {"type": "websocket.receive", "text": "x"}

    socket = house.open("a")
    running = asyncio.ensure_future(paced(application)({}, receive, partial(lambda *_: None, socket)))
    for rounds in range(1, 4):
        await asyncio.sleep(0)
        assert len(taken) == rounds
        house.go_round()
    running.cancel()


def test_what_comes_while_a_turn_is_waited_for_stands_behind(house: House) -> None:
    socket = house.open("a")
    socket.dataReceived(texts(FRAMES + 1))
    socket.dataReceived(frame(b"later"))  # TLS had it already
    assert len(house.heard) == FRAMES
    house.go_round()
    assert [text for _, text in house.heard][-2:] == [str(FRAMES), "later"]


def test_a_turn_that_comes_after_the_end_takes_nothing(house: House) -> None:
    socket = house.open("a")
    socket.dataReceived(texts(2 * FRAMES))
    socket.dropConnection(abort=True)
    socket.connectionLost(Failure(ConnectionDone()))
    assert house.go_round() == 0


def test_lines_of_a_crowd_are_cut_one_by_one(house: House) -> None:
    sockets = [house.open(name) for name in "abc"]
    for each in sockets:
        each.sendCloseFrame(code=4429)
        each.onCloseHandshakeTimeout()
    for rounds in range(1, 4):
        assert sum(each.transport.disconnected for each in sockets) == rounds
        house.go_round()


def test_an_application_that_is_behind_decides_when_it_goes_on(house: House) -> None:
    house.is_taking = False
    socket = house.open("a")
    socket.dataReceived(texts(WAITING_MESSAGES + 2))
    while house.rounds:
        house.go_round()
    assert (len(house.heard), socket.transport.producerState) == (WAITING_MESSAGES, "paused")
    socket.taken({"type": "websocket.receive", "text": "0"})
    assert (len(house.heard), socket.transport.producerState) == (WAITING_MESSAGES + 1, "paused")
    house.is_taking = True
    for text in ("1", "2"):
        socket.taken({"type": "websocket.receive", "text": text})
        house.go_round()
    assert (len(house.heard), socket.transport.producerState) == (WAITING_MESSAGES + 2, "producing")
