"""Handshakes and requests that come from any address we like: the server believes us as it believes a proxy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import websockets
from asgiref.sync import sync_to_async

from accounts.models import User
from tests.server import Server, Watch, session_of
from tests.streams import Reply, ask
from tests.wire import CLOSE, Frames, handshake, spoken

SYNC = "order-sync.v1"


async def knocked(server: Server, path: str, *, at: str = "", session: str = "", protocol: str = "") -> tuple[int, str]:
    """Return how a handshake that claims to come from ``at`` is refused: the HTTP status or the close code, and the
    head of the answer.
    """
    request = handshake(server, path, session=session, protocol=protocol)
    if at:
        request = request.replace(b"\r\n\r\n", f"\r\nX-Forwarded-For: {at}\r\n\r\n".encode("latin-1"))
    head, body = await spoken(server, request)
    status = int(head.split()[1])
    if status != 101:
        return status, head.decode("latin-1").lower()
    codes = [int.from_bytes(said[:2]) for opcode, said in Frames().feed(body) if opcode == CLOSE]
    return codes[0], head.decode("latin-1").lower()


async def code_of(server: Server, path: str, **more: str) -> int:
    return (await knocked(server, path, **more))[0]


@asynccontextmanager
async def entered(
    server: Server, path: str, user: User | None = None, *, at: str, protocol: str = SYNC
) -> AsyncIterator[Watch]:
    """Open a socket from ``at``; nobody's stays a stranger's until it says who it is."""
    headers = {"X-Forwarded-For": at}
    if user is not None:
        headers["Cookie"] = f"sessionid={await sync_to_async(session_of)(user)}"
    async with websockets.connect(
        server.ws_url + path,
        additional_headers=headers,
        origin=websockets.Origin(server.url),
        subprotocols=[websockets.Subprotocol(protocol)] if protocol else None,
        compression=None,
    ) as socket:
        yield Watch(socket)


async def asked(server: Server, path: str, user: User | None, *, at: str, **headers: str) -> Reply:
    """Return the answer to a request from ``at``."""
    return await ask(server, path, user, headers={"X-Forwarded-For": at, **headers})
