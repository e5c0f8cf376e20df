"""Of many lines that bring something at once, one is read in each round of the loop, and a little of it."""

import select
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet import main
from twisted.internet.protocol import Protocol

from realtime.gateways.connection import READ_BYTES, Connection
from realtime.gateways.turns import Turns


class Loop:
    """A loop of one's own: it goes round when it is told to, and looks at whom it is to read."""

    def __init__(self) -> None:
        self.readers: list[Any] = []
        self.work: deque[Callable[[], None]] = deque()

    def addReader(self, reader: Any) -> None:  # noqa: N802 (Twisted names these)
        if reader not in self.readers:
            self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:  # noqa: N802
        if reader in self.readers:
            self.readers.remove(reader)

    removeWriter = removeReader  # noqa: N815

    def go_round(self) -> list[Any]:
        """Return what the lines had to say of themselves."""
        for work in [self.work.popleft() for _ in range(len(self.work))]:
            work()
        bring_something = select.select([reader.socket for reader in self.readers], [], [], 0)[0]
        return [reader.doRead() for reader in list(self.readers) if reader.socket in bring_something]


class Heard(Protocol):
    def __init__(self) -> None:
        self.data = b""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self.data += data


class Lines:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loop = Loop()
        monkeypatch.setattr(Connection, "turns", Turns(self.loop.work.append))
        self.ends: list[socket.socket] = []

    def open(self, sent: bytes) -> Any:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.ends += [ours, theirs]
        theirs.sendall(sent)
        return Connection(ours, Heard(), ("127.0.0.1", 1), None, 0, self.loop)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Any:
    found = Lines(monkeypatch)
    yield found
    for end in found.ends:
        end.close()


def test_one_in_each_round(lines: Lines) -> None:
    opened = [lines.open(b"x") for _ in range(5)]
    for rounds in range(1, 6):
        lines.loop.go_round()
        assert sum(len(line.protocol.data) for line in opened) == rounds
    assert set(lines.loop.readers) == set(opened), "all are looked at again"


def test_a_little_at_once_and_others_in_between(lines: Lines) -> None:
    much, little = lines.open(b"x" * READ_BYTES * 3), lines.open(b"x")
    lines.loop.go_round()
    assert (len(much.protocol.data), little.protocol.data) == (READ_BYTES, b"")
    lines.loop.go_round()
    assert little.protocol.data == b"x"
    for _ in range(6):
        lines.loop.go_round()
    assert len(much.protocol.data) == READ_BYTES * 3


def test_who_is_paused_while_he_waits_is_not_read(lines: Lines) -> None:
    first, second = lines.open(b"x"), lines.open(b"y")
    lines.loop.go_round()
    second.pauseProducing()
    for _ in range(3):
        lines.loop.go_round()
    assert (first.protocol.data, second.protocol.data) == (b"x", b"")
    second.connected = True
    second.resumeProducing()
    lines.loop.go_round()
    assert second.protocol.data == b"y"


def test_what_a_turn_makes_others_do_is_done_in_it(lines: Lines) -> None:
    done: list[str] = []
    line = lines.open(b"x")
    line.protocol.dataReceived = lambda _: Connection.turns.take(lambda: done.append("at once"))
    lines.loop.go_round()
    assert done == ["at once"]


def test_the_end_of_a_line_is_noticed_in_its_turn(lines: Lines) -> None:
    first = lines.open(b"x")
    lines.open(b"")
    lines.ends[-1].close()
    assert lines.loop.go_round() == [None, None]
    assert main.CONNECTION_DONE in lines.loop.go_round()
    assert first.protocol.data == b"x"
