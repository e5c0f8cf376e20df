"""The oracle of Zulip's ``verify_action``: what a viewer had, and the frames of an act, are what he fetches afresh.

For every public service of every app, and every kind of viewer. A service without a scene in ``acts`` fails, and so
does one that changes nothing that anybody sees.
"""

import inspect
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps

from accounts.models import User
from realtime import log
from realtime.testing import Socket, connect_as
from tests.people import Cast, cast
from tests.server import state_of
from tests.stories import acts
from tests.stories.acts import Scene

Frame = dict[str, Any]

pytestmark = pytest.mark.usefixtures("db", "memory_bus")

UNSEEN = {
    "refund_post": "no slot shows a refund; the steps that refund, drop and reprice, change other fields",
    **dict.fromkeys(("account_write", "account_read", "account_erase"), "account data is in no frame and no version"),
}


def services() -> dict[str, Callable[..., object]]:
    """Return every public function of a module named ``services`` of an installed app."""
    modules = [f"{config.name}.services" for config in apps.get_app_configs()]
    found = [import_module(name) for name in modules if find_spec(name)]
    return {
        name: function
        for module in found
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


SERVICES = sorted(services())


def test_every_service_has_a_scene() -> None:
    functions = inspect.getmembers(acts, inspect.isfunction)
    scenes = [name for name, function in functions if function.__annotations__ == {"people": Cast, "return": Scene}]
    assert sorted(scenes) == SERVICES
    assert len(SERVICES) > 15


def viewers(people: Cast) -> list[User]:
    """Return one of each kind: stranger, client, booster, another booster (the prospect), manager, admin."""
    return [
        people.other_client, people.client, people.booster, people.other_booster, people.manager, people.admin,
    ]  # fmt: skip


def applied(state: Frame, frames: Sequence[Frame]) -> Frame:
    """Return ``state`` after ``frames``, taken twice: as whole states, and by nothing but their ``changed`` keys."""
    for frame in frames:
        follows = frame["prev"] if "prev" in frame else frame["version"] - 1
        assert follows == state["version"]
        if frame["masked"] == state["masked"]:
            keys = [*frame["changed"], "timestamp", "version", "changed"]
            assert {**state, **{key: frame[key] for key in keys}} == state_of(frame), "changed names what changed"
        state = state_of(frame)
    return state


async def opened(stack: AsyncExitStack, people: Cast, order_id: int) -> list[Socket]:
    """Open the order for every viewer, and read the snapshot or the refusal."""
    sockets = [await stack.enter_async_context(connect_as(user, f"/ws/orders/{order_id}/")) for user in viewers(people)]
    for socket in sockets:
        await socket.read()
        assert socket.frames or socket.code == 4404
    return sockets


async def read_to(socket: Socket, version: int) -> None:
    """Read until the viewer has ``version``, or has lost the order."""
    while socket.code is None and socket.frames[-1]["version"] < version:
        await socket.read()


@pytest.mark.parametrize("name", SERVICES)
async def test_snapshot_and_frames_are_a_fresh_snapshot(name: str) -> None:
    people = await sync_to_async(cast)()
    scene: Scene = await sync_to_async(getattr(acts, name))(people)
    async with AsyncExitStack() as stack:
        before = await opened(stack, people, scene.order_id)
        made = await sync_to_async(scene.act)()
        order_id = scene.order_id or getattr(made, "pk", 0)
        version = (await sync_to_async(log.heads)([f"order.{order_id}"]))[f"order.{order_id}"]
        fresh = await opened(stack, people, order_id)
        for had in before:
            if had.frames:
                await read_to(had, version)
        seen = [follows(had, has) for had, has in zip(before, fresh, strict=True)]
    assert not fresh[0].frames, "the stranger sees nothing"
    assert any(seen) == (name not in UNSEEN), "an act that nobody sees: is its field declared?"


def follows(had: Socket, has: Socket) -> bool:
    """Assert that the viewer of both sockets knows by frames what he fetches; return whether he saw the act."""
    if not had.frames or not has.frames:
        assert bool(has.frames) == (has.code is None)
        assert not had.frames or had.code == 4404, f"{had} keeps an order that is not his any more"
        return bool(had.frames) != bool(has.frames)
    first, *after = had.frames
    assert applied(state_of(first), after) == state_of(has.frames[0]), str(had)
    return any(frame["changed"] for frame in after)
