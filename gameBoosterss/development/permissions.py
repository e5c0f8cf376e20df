"""The tables of ``docs/reference/permissions.md``, made of the declarations: ``python -m … write``."""

import re
import sys
from typing import Any

from gameBoosterss.development.checkout import ROOT

DOCUMENT = ROOT / "docs" / "reference" / "permissions.md"

AUDIENCES = ("nobody", "client", "booster", "prospect", "another booster", "another client", "manager", "admin")
"""Who asks an endpoint: what he is of the order that runs; the prospect, of one that nobody has taken."""

ALL = "401 200 200 200 200 200 200 200"
WHO_SEES_IT = "401 200 200 200 404 404 200 200"
ENDPOINTS = {
    "GET /api/openapi.json": ("200 200 200 200 200 200 200 200", "the document"),
    "POST /api/realtime/ticket": (ALL, "a ticket of his own"),
    "GET /api/me": (ALL, "himself"),
    "GET /api/orders": (ALL, "his own; staff: all; a booster with `board=available`: those he may claim"),
    "GET /api/orders/stream": ("401 200 200 200 200 200 404 404", "a board that he has; tried with `mine`"),
    "POST /api/orders/sync": ("401 200 200 200 200 200 404 404", "a board that he has; tried with `mine`"),
    "GET /api/orders/{key}": (WHO_SEES_IT, "the order"),
    "GET /api/orders/{key}/state": (WHO_SEES_IT, "the order"),
    "GET /api/orders/{key}/stream": (WHO_SEES_IT, "the order"),
    "GET /api/orders/{key}/events": (WHO_SEES_IT, "its history"),
    "GET /api/orders/{key}/disputes": (WHO_SEES_IT, "its disputes; reasons: client and staff; a prospect: none"),
    "GET /api/orders/{key}/transactions": (WHO_SEES_IT, "his own rows; staff: all of it"),
    "GET /api/orders/{key}/account": ("401 200 200 403 404 404 403 403", "whether it is given; readings: its client"),
    "POST /api/orders/{key}/account": ("401 200 403 403 404 404 403 403", "until the order is over"),
    "POST /api/orders/{key}/account/read": ("401 200 200 403 404 404 403 403", "the booster: while he plays"),
    "POST /api/orders/{key}/account/erase": ("401 200 403 403 404 404 403 403", "at any time"),
    "GET /api/wallet": (ALL, "his own sums"),
    "GET /api/wallet/transactions": (ALL, "his own rows; staff: all"),
    "POST /api/games/league-of-legends/quote": (ALL, "a price"),
    "POST /api/games/league-of-legends/orders": ("401 201 403 403 403 201 403 403", "an order of his own"),
}
"""What each of ``AUDIENCES`` is answered, and what he gets; verbs have a table of their own. A missing one is an error.

Written by hand: the story of the matrix asks each endpoint as each of them.
"""

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
    """Return the table of everything that the HTTP API answers, but the verbs."""
    from realtime.permissions import table

    asked = [name for name in addresses() if not is_verb(name)]
    check(asked)
    return table(
        ["endpoint", *AUDIENCES, "what"],
        [[f"`{name}`", *codes.split(), what] for name, (codes, what) in ENDPOINTS.items()],
    )


def addresses() -> list[str]:
    """Return each method and path of the document, and those that no document names; of the order's feed only."""
    from gameBoosterss.api import api

    paths = api.get_openapi_schema()["paths"]
    documented = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    others = other_feeds()
    unnamed = ["GET /api/openapi.json", "POST /api/realtime/ticket"]
    return unnamed + [name for name in documented if not name.split()[1].startswith(others)]


def other_feeds() -> tuple[str, ...]:
    """Return how the paths of other feeds begin."""
    from orders.feeds import OrderFeed
    from realtime.feeds import all_feeds

    return tuple(f"/api/{feed.plural}" for feed in all_feeds() if feed is not OrderFeed)


def is_verb(name: str) -> bool:
    from orders.transitions import TRANSITIONS

    return name.rpartition("/")[2] in TRANSITIONS


def check(asked: list[str]) -> None:
    """Stop where an endpoint stands in one list only."""
    for name in sorted(set(asked) ^ set(ENDPOINTS)):
        raise SystemExit(f"{name}: say in {__name__}.ENDPOINTS who gets what there, or take it out.")


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
