"""The marketplace's application with a door through which a test has the server itself write.

For the memory broker, which joins nothing outside its process: ``daphne tests.acting:application``.
"""

import json
from typing import Any
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async

from gameBoosterss.asgi import application as marketplace


def perform(act: str, given: dict[str, str]) -> Any:
    """Do ``act`` in this process; return what the test needs to know."""
    from accounts.models import User
    from games.league_of_legends.ladder import Position
    from games.league_of_legends.services import division_order_report
    from tests.people import cast
    from tests.server import session_of

    if act == "cast":
        people = cast()
        names = ("client", "booster", "manager", "admin", "other_client")
        sessions = {name: session_of(getattr(people, name)) for name in names}
        return {"order": people.order.pk, "booster": people.booster.pk, "sessions": sessions}
    assert act == "report"
    booster = User.objects.get(pk=given["booster"])
    division_order_report(order_id=int(given["order"]), reached=Position(given["rank"], 1, 0), by=booster)
    return {}


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http" or not scope["path"].startswith("/act/"):
        await marketplace(scope, receive, send)
        return
    given = {key: values[0] for key, values in parse_qs(scope["query_string"].decode()).items()}
    answer = await sync_to_async(perform)(scope["path"].removeprefix("/act/"), given)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
