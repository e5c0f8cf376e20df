"""Plain HTTP in the test's own process: an ASGI client on the loop of the hub."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client

from realtime import relay
from realtime.hub import Hub

PATH = "/api/deliveries"


@asynccontextmanager
async def browser(user: Any) -> AsyncIterator[AsyncClient]:
    """Give a client in which ``user`` is logged in; ``None`` is nobody. The hub comes to rest at the end."""
    made = AsyncClient()
    if user is not None:
        await made.aforce_login(user)
    yield made
    Hub.current().end_when_idle()
    assert await sync_to_async(relay.rest, thread_sensitive=False)(30)


def wsgi(user: Any) -> Client:
    """Return a client that asks as a WSGI server would."""
    made = Client()
    made.force_login(user)
    return made
