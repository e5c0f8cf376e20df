"""A socket that is told to leave holds nothing more of what it sent, however long its line stays."""

from typing import Any

import pytest

from realtime.gateways.sockets import Socket
from realtime.gateways.unfinished import HELD_BYTES, Store
from realtime.tests.unplugged import House
from tests.wire import frame

MESSAGE = 64_000
FIRST = bytes([0x01, 0xFE]) + (MESSAGE // 2).to_bytes(2) + b"\0\0\0\0" + b"x" * (MESSAGE // 2)
LAST = frame(b"x" * (MESSAGE // 2), opcode=0)


def held_by(socket: Any) -> int:
    """Return the bytes that a socket refers to, by whatever name."""
    found = 0
    for value in vars(socket).values():
        pieces = value if isinstance(value, list) else [value]
        found += sum(len(piece) for piece in pieces if isinstance(piece, bytes | bytearray))
    return found


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(Socket, "unfinished", Store())
    return House()


@pytest.mark.parametrize(
    "begun", [pytest.param(frame(b"x" * MESSAGE)[:-1], id="one frame"), pytest.param(FIRST + LAST[:-1], id="two")]
)
def test_unfinished_messages_that_are_too_much_together(house: House, begun: bytes) -> None:
    sockets = [house.open(str(number)) for number in range(HELD_BYTES // MESSAGE + 3)]
    for socket in sockets:
        socket.dataReceived(begun)
        for _ in range(3):
            house.go_round()
    told = [socket for socket in sockets if socket.state == socket.STATE_CLOSING]
    assert 0 < len(told) < len(sockets)
    assert held_by(sockets[-1]) > MESSAGE / 2, "what is not complete is held: the test would see it"
    assert max(map(held_by, told)) < 1000
    told[0].dataReceived(b"x" * MESSAGE)
    assert held_by(told[0]) < 1000
