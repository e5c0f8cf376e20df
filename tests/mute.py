"""The marketplace's application, with sockets of other manners: ``daphne tests.mute:application`` answers none."""

import asyncio
from contextlib import suppress
from typing import Any

from gameBoosterss.asgi import application as marketplace
from realtime.gateways import requests


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await asyncio.Event().wait()
    await marketplace(scope, receive, send)


async def hesitant(scope: Any, receive: Any, send: Any) -> None:
    """Accept a socket after a second, and say nothing."""
    if scope["type"] != "websocket":
        await marketplace(scope, receive, send)
        return
    await receive()
    await asyncio.sleep(1)
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def denying(scope: Any, receive: Any, send: Any) -> None:
    """Refuse a socket with a status, and nothing that ASGI lets one leave out."""
    if scope["type"] != "websocket":
        await marketplace(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.http.response.start", "status": 418})
    await send({"type": "websocket.http.response.body"})


async def pouring(scope: Any, receive: Any, send: Any) -> None:
    """Send twenty megabytes, on a socket or as the page ``/much/``; say in the log when they are sent, or cannot be."""
    if scope["type"] != "websocket" and scope.get("path") != "/much/":
        await marketplace(scope, receive, send)
        return
    if scope["type"] == "http":
        requests.ANSWER_BYTES_A_SECOND = 64 * 1024  # here a reader is slow within two seconds, not within eighteen
        await send({"type": "http.response.start", "status": 200})
        for _ in range(5000):
            await send({"type": "http.response.body", "body": b"x" * 4096, "more_body": True})
        print("it goes on", flush=True)
        return
    await receive()
    await send({"type": "websocket.accept"})
    with suppress(OSError, RuntimeError):  # he has just left
        for _ in range(200):
            await send({"type": "websocket.send", "bytes": b"x" * 100_000})
    print("it goes on", flush=True)
