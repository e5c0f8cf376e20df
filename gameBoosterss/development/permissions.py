"""The tables of ``docs/reference/permissions.md``, made of the declarations: ``python -m … write``."""

import re
import sys
from typing import Any

from gameBoosterss.development.checkout import ROOT

DOCUMENT = ROOT / "docs" / "reference" / "permissions.md"

ENDPOINTS = {
    "/api/me": "himself",
    "/api/orders": "his own; staff: all; a booster with `board=available`: those he may claim",
    "/api/orders/{key}/disputes": "who sees the order, but no prospect",
    "GET /api/orders/{key}/account": "its client; its booster while he plays",
    "POST /api/orders/{key}/account": "its client, until the order is over",
    "/api/orders/{key}/account/read": "its client; its booster while he plays; each reading is written down",
    "/api/orders/{key}/account/erase": "its client",
    "/api/orders/{key}/transactions": "his own rows of an order that he sees; staff: all of it",
    "/api/wallet": "his own sums",
    "/api/wallet/transactions": "his own rows; staff: all",
    "/api/games/league-of-legends/quote": "everybody: a price, nothing is stored",
    "/api/games/league-of-legends/orders": "clients",
}
"""Who gets what from an endpoint that neither reads one order nor is a verb. One that is missing here is an error.

Where the methods of a path differ, each is named with it."""

MADE = re.compile(r"(?<=<!-- made: )(\w+)( -->\n).*?(?=\n<!-- end -->)", re.DOTALL)


def text() -> str:
    """Return the page with its tables made anew; the words between them are written by hand."""
    from orders.feeds import OrderFeed
    from realtime.permissions import boards_of, fields_of

    tables = {
        "fields": fields_of(OrderFeed),
        "boards": boards_of(OrderFeed),
        "verbs": verbs(),
        "endpoints": endpoints(),
    }
    return MADE.sub(lambda found: found[1] + found[2] + tables[found[1]], DOCUMENT.read_text())


def verbs() -> str:
    """Return the table of the transition table, tried with one person of each kind."""
    from accounts.models import Role, User
    from orders.models import BaseOrder, Status
    from orders.transitions import TRANSITIONS
    from realtime.permissions import table

    people = {
        "its client": (User(pk=1, role=Role.CLIENT), 2),
        "its booster": (User(pk=2, role=Role.BOOSTER), 2),
        "a booster, nobody has it": (User(pk=3, role=Role.BOOSTER), None),
        "another booster": (User(pk=3, role=Role.BOOSTER), 2),
        "another client": (User(pk=4, role=Role.CLIENT), 2),
        "manager": (User(pk=5, role=Role.MANAGER), 2),
        "admin": (User(pk=6, role=Role.ADMIN), 2),
    }

    def cell(verb: str, by: Any, booster: int | None) -> str:
        order = BaseOrder(client_id=1, booster_id=booster)
        transition = TRANSITIONS[verb]
        found = []
        for status in Status:
            order.status = status
            if status in transition.sources and transition.may.test(by, order):
                found.append(str(status))
        return ", ".join(found) or "–"

    rows = [[f"`{verb}`", *(cell(verb, *person) for person in people.values())] for verb in TRANSITIONS]
    return table(["verb", *people], rows)


def endpoints() -> str:
    """Return the table of everything that the HTTP API answers."""
    from gameBoosterss.api import api
    from orders.feeds import OrderFeed
    from realtime.feeds import all_feeds
    from realtime.permissions import table

    others = tuple(f"/api/{feed.plural}" for feed in all_feeds() if feed is not OrderFeed)
    schema = api.get_openapi_schema()["paths"]
    paths = {path: methods for path, methods in schema.items() if not path.startswith(others)}
    return table(
        ["", "path", "who"], [[m.upper(), f"`{p}`", who(m.upper(), p)] for p, methods in paths.items() for m in methods]
    )


def who(method: str, path: str) -> str:
    from orders.transitions import TRANSITIONS

    last = path.rpartition("/")[2]
    if last in TRANSITIONS:
        return f"the verb `{last}`"
    if f"{method} {path}" in ENDPOINTS:
        return ENDPOINTS[f"{method} {path}"]
    if path in ENDPOINTS:
        return ENDPOINTS[path]
    if "{key}" in path and last in ("{key}", "state", "stream", "events"):
        return "who sees the order"
    if last in ("stream", "sync"):
        return "who has the board"
    raise SystemExit(f"{path}: say in {__name__}.ENDPOINTS who gets what there.")


def main() -> int:
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gameBoosterss.settings")
    django.setup()
    if sys.argv[1:] == ["write"]:
        DOCUMENT.write_text(text())
    else:
        print(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
