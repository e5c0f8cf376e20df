"""The marketplace's application with a connection that fails when the server's clock looks at it.

``daphne tests.faulty:application``: it is that of each socket whose query is ``faulty``.
"""

from typing import Any

from gameBoosterss.asgi import application as marketplace
from realtime.gateways.sockets import Socket

look = Socket.check_timeouts


def fail(socket: Any) -> None:
    if socket._raw_query_string == b"faulty":
        raise RuntimeError("there is something about this connection")
    look(socket)


Socket.check_timeouts = fail  # type: ignore[method-assign]
application = marketplace
