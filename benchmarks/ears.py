"""What hears of an update, and when: a socket of the server, and the broker itself."""

import asyncio
import json
import sys
import time
from contextlib import suppress
from typing import Any

from realtime import brokers
from realtime.protocol.codec import Beat, Hints, seal, unseal
from tests.wire import PING, PONG, TEXT, Frames, frame

AGAIN = 1.0
"""Seconds until a socket that was turned away comes again."""
QUIET = 5.0
"""Seconds without anything new after which the rest counts as lost."""


class Socket(asyncio.Protocol):
    """A WebSocket in a few lines: a hundred full clients in one process would be the slow readers."""

    def __init__(self, request: bytes) -> None:
        self.request, self.head, self.frames = request, b"", Frames()
        self.texts: list[tuple[bytes, int]] = []
        self.first = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if b"\r\n\r\n" not in self.head:
            self.head += data
            self.head, end, data = self.head.partition(b"\r\n\r\n")
            self.head += end
        for opcode, payload in self.frames.feed(data):
            if opcode == TEXT:
                self.texts.append((payload, now))
            elif opcode == PING:  # who does not answer is left after a minute
                self.transport.write(frame(payload, PONG))
        if self.texts and not self.first.done():
            self.first.set_result(None)

    def connection_lost(self, _: object) -> None:
        if not self.first.done():
            self.first.set_exception(ConnectionError(f"turned away: {self.head!r}"))

    def has(self, words: str) -> bool:
        return bool(self.texts) and f'"{words}"'.encode() in self.texts[-1][0]

    @property
    def heard(self) -> list[tuple[str, int]]:
        return [(json.loads(text).get("message", ""), at) for text, at in self.texts]


class Bus:
    """What the broker brings to this process of one topic."""

    def __init__(self, topic: str) -> None:
        self.topic, self.heard = topic, list[tuple[str, int]]()
        self.proven = asyncio.Event()

    def body(self, body: str) -> None:
        now = time.monotonic_ns()
        message = unseal(body, brokers.key())
        if isinstance(message, Beat):
            self.proven.set()
        elif isinstance(message, Hints):
            updates = [update for update in message.updates if update.topic == self.topic]
            self.heard += [((update.state or {})["message"], now) for update in updates]

    def has(self, words: str) -> bool:
        return bool(self.heard) and self.heard[-1][0] == words

    async def listen(self) -> None:
        """Listen until cancelled; the layer does not say when a subscription stands, so nonces are sent."""
        listening = asyncio.create_task(brokers.current().listen(self.body, lambda *_: None))
        while not self.proven.is_set():
            await brokers.current().publish(brokers.base.GROUPS - 1, seal(Beat("benchmark"), brokers.key()))
            await asyncio.sleep(0.02)
        await listening


def _has(ear: Socket | Bus, words: str) -> bool:
    return ear.has(words)


async def opened(request: str, port: int) -> tuple[Socket, int]:
    """Return a socket that has its first frame, and how often it was turned away before."""
    loop, until = asyncio.get_running_loop(), time.monotonic() + 60
    for again in range(60):
        async with asyncio.timeout(until - time.monotonic()):
            _, socket = await loop.create_connection(lambda: Socket(request.encode()), "127.0.0.1", port)
            try:
                await socket.first
            except ConnectionError as error:
                print(error, file=sys.stderr)
            else:
                return socket, again
            await asyncio.sleep(AGAIN)
    raise TimeoutError("turned away again and again")


async def watch(task: dict[str, Any]) -> dict[str, Any]:
    """Return what came to each ear (``heard``), and how often a socket had to come again (``again``)."""
    ears, again = list[Socket | Bus](), 0
    for request in task["requests"]:
        socket, times = await opened(request, task["port"])
        ears.append(socket)
        again += times
    listening = None
    if task["topic"]:
        bus = Bus(task["topic"])
        ears.append(bus)
        listening = asyncio.create_task(bus.listen())
        await asyncio.wait_for(bus.proven.wait(), 30)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    ends, came = time.monotonic() + QUIET, -1
    while time.monotonic() < ends and not all(map(_has, ears, task["lasts"])):
        total = sum(len(ear.heard) if isinstance(ear, Bus) else len(ear.texts) for ear in ears)
        if total != came:
            ends, came = time.monotonic() + QUIET, total
        await asyncio.sleep(0.05)
    if listening is not None:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
    return {"heard": [ear.heard for ear in ears], "again": again}
