"""A WebSocket by hand, for what a well-behaved client hides: the bytes, bad frames, and a hundred readers at once."""

import asyncio
from collections.abc import Iterator

from tests.server import PATIENCE, Server

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455's; the same each time, so the same answer gives the same bytes
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def handshake(server: Server, path: str, *, session: str = "", origin: str | None = "", protocol: str = "") -> bytes:
    """Return a request to open a socket; ``origin`` '' is the server's own, ``None`` sends no such header."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        *([] if origin is None else [f"Origin: {origin or server.url}"]),
        *([f"Cookie: {server.cookie}={session}"] if session else []),
        *([f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []),
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return a client's frame; masked with zeros, so that the payload stands as it is."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 2**16:
        length = bytes([0x80 | 126]) + size.to_bytes(2)
    else:
        length = bytes([0x80 | 127]) + size.to_bytes(8)
    return bytes([0x80 | opcode]) + length + b"\0\0\0\0" + payload


class Frames:
    """Takes a server's bytes after the handshake as they come; gives whole frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield ``(opcode, payload)`` of each frame that is complete now."""
        data, at = self._rest + data, 0
        while len(data) - at >= 2:
            size, start = data[at + 1] & 0x7F, at + 2
            if size > 125:
                start += 2 if size == 126 else 8
                size = int.from_bytes(data[at + 2 : start])
            if start > len(data) or start + size > len(data):
                break
            yield data[at] & 0x0F, data[start : start + size]
            at = start + size
        self._rest = data[at:]


async def spoken(server: Server, request: bytes, then: bytes = b"") -> tuple[bytes, bytes]:
    """Send ``request``, and ``then`` when it is answered; return the head of the answer and every byte after it,
    up to a close frame or the end of the connection.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=server.tls)
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(then)
            body, frames = b"", Frames()
            while data := await rest_of(reader):
                body += data
                if b"101 Switching" in head and any(opcode == CLOSE for opcode, _ in frames.feed(data)):
                    break
            return head, body
    finally:
        writer.close()


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """Return what came next; nothing at the end, and after a reset what had come before it."""
    try:
        return await reader.read(65536)
    except ConnectionResetError:
        left = bytes(reader._buffer)  # type: ignore[attr-defined]
        reader._buffer.clear()  # type: ignore[attr-defined]
        return left
