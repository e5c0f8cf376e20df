"""People of ill will, by kind: what each of them sends, and a crowd of them."""

import asyncio
from random import Random

from tests.server import PATIENCE, Server
from tests.wire import BINARY, PING, frame, handshake

PING_FLOOD = frame(b"x" * 125, PING) * 500
EMPTY = b"\x01\x80\0\0\0\0" + b"\x00\x80\0\0\0\0" * 10_000
SOMETHING = frame(b'{"type":"' + b"x" * 8_000 + b'"}') * 8

ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "oversize": (bytes([0x82, 0xFF]) + (2**40).to_bytes(8) + b"\0\0\0\0", b"x" * 65_536),
    "just too large": (b"", frame(b"x" * 65_537, BINARY)),
    "empty fragments": (b"", EMPTY),
    "full fragments": (b"\x01\x80\0\0\0\0", bytes([0x00, 0xFE]) + (200).to_bytes(2) + b"\0\0\0\0" + b"x" * 200),
    "pings": (b"", PING_FLOOD),
    "messages": (b"", SOMETHING),
    "small messages": (b"", frame(b'{"type":"x"}') * 500),
    "bombs": (b"", bytes([0xC1, 0xFE]) + (60_000).to_bytes(2) + b"\0\0\0\0" + b"\0" * 60_000),
}
"""What is sent once, and what again and again, for as long as somebody takes it."""

SILENT: dict[str, bytes] = {
    "half a message": frame(b'{"type":"subscribe","x":"' + b"x" * 65_000)[:-1],
    "fragments that wait": b"\x01\x80\0\0\0\0" + b"\x00\x80\0\0\0\0" * 200,
    "readers that stall": frame(b'{"type":"ping","n":1}') * 200,
}
"""What is sent by somebody who then does nothing, and reads nothing."""

KINDS = [*ENDLESS, *SILENT, "half a handshake"]


class Attacker:
    """One of ``KINDS``: comes, does what he does until he is put out, and comes again ``after`` seconds."""

    def __init__(self, port: int, kind: str, opened: bytes, number: int) -> None:
        self.port, self.kind, self.opened = port, kind, opened
        self.random = Random(number)
        self.address = f"127.0.1.{1 + number % 40}"
        self.times = 0

    async def come(self) -> None:
        """Attack once, to the end."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(self.address, 0), limit=2**16
        )
        try:
            await self._attack(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass  # he was put out
        finally:
            self.times += 1
            writer.transport.abort()

    async def _attack(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(PATIENCE * 2):
            if self.kind == "half a handshake":
                writer.write(self.opened[:-2] + b"X: " + b"y" * 12_000)
            else:
                writer.write(self.opened)
                await reader.readuntil(b"\r\n\r\n")
            if self.kind in ENDLESS:
                once, again = ENDLESS[self.kind]
                writer.write(once)
                while not reader.at_eof():
                    writer.write(again)
                    await writer.drain()
                    await asyncio.sleep(0.01)
            else:
                writer.write(SILENT.get(self.kind, b""))
                await writer.drain()
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                await asyncio.sleep(PATIENCE)

    async def go_on(self, after: float) -> None:
        """Attack until cancelled."""
        while True:
            try:
                await self.come()
            except OSError:
                pass  # not even let in
            await asyncio.sleep(after * self.random.uniform(0.5, 1.5))


def handshakes(server: Server, sessions: list[str], order: int) -> list[bytes]:
    return [handshake(server, f"/ws/orders/{order}/", session=key, protocol="order-sync.v1") for key in sessions]


def crowd(port: int, kind: str, opened: list[bytes], many: int) -> list[Attacker]:
    """Return ``many`` attackers of a kind, who come with ``opened`` in turns."""
    return [Attacker(port, kind, opened[number % len(opened)], number) for number in range(many)]
