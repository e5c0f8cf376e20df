"""A connection of Twisted's that is read in its turn, a little at a time."""

from typing import Any, ClassVar

from twisted.internet import main, tcp, unix

from .turns import TURNS, Turns

READ_BYTES = 4 * 1024
"""What is read at once. Twisted reads 64 KiB: who floods would have a longer turn than others, and hold more memory."""


_Server: Any = tcp.Server
_UnixServer: Any = unix.Server


class _InTurn(_Server):
    """What nobody has read yet waits in the kernel, where it is bounded, until it is this connection's turn."""

    turns: ClassVar[Turns] = TURNS
    _is_to_be_read = _waits = _has_its_turn = False

    def startReading(self) -> None:  # noqa: N802 (Twisted names these)
        self._is_to_be_read = True
        if not self._waits:
            super().startReading()

    def stopReading(self) -> None:  # noqa: N802
        self._is_to_be_read = False
        super().stopReading()

    def doRead(self) -> Any:  # noqa: N802
        """Read what has come, if it is one's turn, or ask for one and look away until then."""
        if not (self._has_its_turn or self.turns.begin()):
            super().stopReading()
            self._waits = True
            self.turns.again(self._let_read)
            return None
        self._has_its_turn = False
        with self.turns.within():
            return self._read()

    def _let_read(self) -> None:
        """Look again: the reactor comes back in this turn, and knows what to do with what it is told."""
        self._waits, self._has_its_turn = False, True
        if self._is_to_be_read:
            super().startReading()

    def _read(self) -> Any:
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        if not data:
            return main.CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None


class Connection(_InTurn):
    """One over TCP."""


class UnixConnection(_InTurn, _UnixServer):
    """One over a UNIX socket (``daphne -u``), such as a proxy's beside it."""


def read_in_turn(port: Any) -> None:
    """Have what ``port`` accepts be read in turn."""
    kinds = {tcp.Server: Connection, unix.Server: UnixConnection}
    port.transport = kinds.get(port.transport, port.transport)
