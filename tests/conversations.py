"""The fixtures of ``wire/``: read, played by the real server and by a client's mirror, and written anew.

``wire/README.md`` says what stands in them.
"""

import json
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.db import transaction

from accounts.models import Role, User
from games.league_of_legends.models import LeagueOfLegendsDivisionOrder, Rank
from orders.feeds import OrderFeed
from orders.models import BaseOrder
from realtime import relay
from realtime.models import Epoch, Event
from realtime.testing import Socket, connect_as
from realtime.testing.mirror import Mirror

WIRE = Path(__file__).resolve().parent.parent / "wire"
RECORDING = bool(os.environ.get("WIRE_RECORD"))
"""Write what the server says into the fixtures instead of comparing it."""

SUBPROTOCOL = "order-sync.v1"
PEOPLE = {"client": (1, Role.CLIENT), "booster": (2, Role.BOOSTER), "manager": (3, Role.MANAGER)}
OTHERS = {"other-booster": (4, Role.BOOSTER), "other-client": (5, Role.CLIENT)}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
NOW = "2026-11-24T12:00:00.000Z"

Frame = dict[str, Any]


def canonical(frame: Frame) -> Frame:
    """Return ``frame`` with the values that the contract leaves open as the fixtures have them."""
    found = {name: _canonical(value) for name, value in frame.items()}
    if found["type"] == "error":
        found["message"] = "…"
    if found["type"] == "goodbye" and found["code"] == 4012:
        found["retry_after_ms"] = 1234
    return found


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _canonical(inner) for name, inner in value.items()}
    return NOW if isinstance(value, str) and MOMENT.fullmatch(value) else value


@dataclass
class Conversation:
    """One file of ``wire/conversations``."""

    path: Path
    content: dict[str, Any]

    def __str__(self) -> str:
        return self.path.stem

    @property
    def steps(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.content["steps"]
        return found

    @property
    def is_of_a_server(self) -> bool:
        """Whether a correct server says this; the others are what a client must stand."""
        return "database" in self.content

    def write(self) -> None:
        """Write the file, a line for each step."""
        lines = [
            f'  "{name}": [\n' + ",\n".join(f"    {_json(step)}" for step in value) + "\n  ]"
            if name == "steps"
            else f'  "{name}": {_json(value)}'
            for name, value in self.content.items()
        ]
        self.path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@cache
def conversations() -> list[Conversation]:
    return [Conversation(path, json.loads(path.read_text())) for path in sorted(WIRE.glob("conversations/*.json"))]


class House:
    """The database of a conversation: people, orders, and what happens to them."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.people = {
            name: User.objects.create(pk=key, username=name, role=role)
            for name, (key, role) in (PEOPLE | OTHERS).items()
        }
        self.rank = Rank.objects.get_or_create(name="Platinum", defaults={"position": 4, "divided": True})[0]
        self.rotate(content["epoch"])
        for key, wanted in content.get("orders", {}).items():
            self.create(int(key), **{name: value for name, value in wanted.items() if name != "version"})
            for version in range(2, wanted.get("version", 1) + 1):
                self.save(int(key), message=f"Change {version}.")

    def create(self, key: int, **values: Any) -> None:
        given = {name: self.value(name, value) for name, value in values.items()}
        defaults: dict[str, Any] = {
            "client": self.people["client"],
            "booster": self.people["booster"],
            "game": "league-of-legends",
            "title": "Gold III to Diamond IV",
            "status": "Continue",
            "actual_price": "267.12",
            "booster_price": "186.98",
            "note": "Evenings, please.",
            "message": "Change 1.",
        }
        with transaction.atomic():
            order = BaseOrder.objects.create(pk=key, **{**defaults, **given})
            places = {f"{place}_rank": self.rank for place in ("current", "reached", "desired")}
            LeagueOfLegendsDivisionOrder.objects.create(
                order=order, **places, reached_division=3, reached_marks=1, progress_percent=34
            )

    def save(self, key: int, **values: Any) -> None:
        order = BaseOrder.objects.get(pk=key)
        for name, value in values.items():
            setattr(order, name, self.value(name, value))
        order.save()

    def value(self, name: str, value: Any) -> Any:
        return self.people[value] if name in ("client", "booster") and value else value

    def delete(self, key: int) -> None:
        with transaction.atomic():
            LeagueOfLegendsDivisionOrder.objects.filter(order=key).delete()
            BaseOrder.objects.filter(pk=key).delete()

    def trim(self, key: int, *, through: int) -> None:
        assert relay.rest(30)
        Event.objects.filter(topic=OrderFeed.topic(key), version__lte=through).delete()

    def rotate(self, epoch: str) -> None:
        Epoch.objects.update_or_create(pk=1, defaults={"epoch": epoch})

    def happens(self, *, does: str, order: int = 0, **values: Any) -> None:
        if does == "rotate":
            self.rotate(**values)
        else:
            getattr(self, does)(order, **values)


async def play_server(conversation: Conversation) -> None:
    """Have the real server say its part; every frame, and nothing else, must be what stands there."""
    content = conversation.content
    house = await sync_to_async(House)(content["database"])
    viewer, path = house.people[content["viewer"]], content.get("path", "/ws/orders/")
    steps = iter(conversation.steps)
    for step in steps:
        assert "connects" in step, "a socket comes first"
        async with connect_as(viewer, path, protocol=SUBPROTOCOL) as socket:
            if await _serve(socket, house, steps):
                continue
            await socket.say(type="ping", n=99)
            assert await _next(socket) == {"type": "pong", "n": 99}, "more came than stands there"
    if RECORDING:
        conversation.write()


async def _serve(socket: Socket, house: House, steps: Any) -> bool:
    """Play the steps of one socket; return whether the server closes it."""
    for step in steps:
        if "client" in step:
            await socket.say(**step["client"])
        elif "happens" in step:
            await sync_to_async(house.happens)(**step["happens"])
        elif "server" in step:
            frame = canonical(await _next(socket))
            if RECORDING:
                step["server"] = frame
            assert frame == step["server"]
            assert list(frame) == list(step["server"]), "the keys have an order"
        else:
            assert await socket.closed() == step["closes"]
            return True
    return False


async def _next(socket: Socket) -> Frame:
    """Return the next frame; a heartbeat may come at any time."""
    while (frame := await socket.next())["type"] == "heartbeat":
        continue
    return frame


def play_client(conversation: Conversation) -> None:
    """Have a mirror hear the server's part; it must hold at the end what stands there."""
    content, mirror = conversation.content, mirror_of(conversation.content["holds"])
    for step in conversation.steps:
        if "client" in step:
            mirror.says(step["client"])
        if "server" not in step:
            continue
        frame = step["server"]
        if frame["type"] == "order.update":
            wanted = step.get("judged", "apply")
            assert mirror.judge(frame) == wanted, f"{frame}: {mirror.judge(frame)}, and not {wanted}"
            if wanted != "apply":
                continue
        mirror.take(frame)
    assert held_by(mirror) == content["after"]


def mirror_of(holds: dict[str, Any]) -> Mirror:
    """Return a mirror that holds what ``holds`` says."""
    mirror = Mirror(OrderFeed)
    mirror.epoch = holds["epoch"] or ""
    mirror.records = {key: {"order_id": int(key), **values} for key, values in holds["orders"].items()}
    mirror.boards = {name: list(map(str, keys)) for name, keys in holds["boards"].items()}
    mirror.topics = {name: str(key) for name, key in holds["topics"].items()}
    return mirror


def held_by(mirror: Mirror) -> dict[str, Any]:
    """Return what a mirror holds, as the fixtures have it."""
    return {
        "epoch": mirror.epoch or None,
        "topics": {name: int(key) for name, key in mirror.topics.items()},
        "boards": {name: sorted(map(int, keys)) for name, keys in mirror.boards.items()},
        "orders": {
            key: {name: frame[name] for name in ("version", "status", "message") if name in frame}
            for key, frame in sorted(mirror.records.items())
        },
    }
