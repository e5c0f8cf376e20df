"""The marketplace's application with a door that says what is left of its sockets, without the garbage collector.

``daphne tests.leavings:application``: the first who asks turns the collector off.
"""

import gc
import json
from collections import Counter
from typing import Any

from gameBoosterss.asgi import application as marketplace
from realtime.gateways.base import Dialect
from realtime.gateways.requests import Line
from realtime.gateways.sockets import Socket
from realtime.member import Member
from realtime.protocol.outbox import Outbox
from realtime.protocol.session import Session
from realtime.quotas import Place
from realtime.refusals import RefusingConsumer

LOOKED_FOR = (Socket, Line, RefusingConsumer, Dialect, Member, Session, Outbox, Place)


def left() -> Counter[str]:
    """Return how many of each kind are there now."""
    gc.disable()
    return Counter(type(each).__name__ for each in gc.get_objects() if issubclass(type(each), LOOKED_FOR))


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http" or scope["path"] != "/left":
        await marketplace(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(left()).encode()})
