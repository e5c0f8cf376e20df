"""The golden fixtures: the server says what stands in them, a client holds what stands in them."""

import json
from io import StringIO
from typing import Any

import msgspec
import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command

from gameBoosterss.development import contract
from orders.feeds import OrderFeed
from realtime import asyncapi
from realtime.conf import Settings
from realtime.protocol import messages
from realtime.protocol.closing import Close
from realtime.protocol.words import Words
from realtime.testing import connect_as
from tests.conversations import (
    RECORDING,
    SUBPROTOCOL,
    WIRE,
    Conversation,
    House,
    canonical,
    conversations,
    play_client,
    play_server,
)

pytestmark = pytest.mark.older
SERVED = [conversation for conversation in conversations() if conversation.is_of_a_server]
SAID = asyncapi.client_frames()
ANSWERED = asyncapi.server_frames(OrderFeed) | asyncapi.plain_frames(OrderFeed)
REFUSALS = json.loads((WIRE / "refusals.json").read_text())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("conversation", SERVED, ids=str)
async def test_the_server_says_its_part(conversation: Conversation) -> None:
    await play_server(conversation)


@pytest.mark.skipif(RECORDING, reason="the server's part is written anew")
@pytest.mark.parametrize("conversation", conversations(), ids=str)
def test_a_client_holds_what_it_was_told(conversation: Conversation) -> None:
    play_client(conversation)


def examples(side: str, name: str) -> dict[str, dict[str, Any]]:
    path = WIRE / "frames" / side / f"{name}.json"
    assert path.exists(), f"{name} has no fixture: {path.relative_to(WIRE.parent)}"
    found: dict[str, dict[str, Any]] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("name", SAID)
def test_a_frame_of_a_client_is_understood(name: str) -> None:
    for shows, frame in examples("client", name).items():
        said = messages.heard(json.dumps(frame))
        assert type(said) is SAID[name]
        assert msgspec.to_builtins(said).items() >= frame.items(), shows


@pytest.mark.parametrize("name", ANSWERED)
def test_a_frame_of_the_server_is_of_its_type(name: str) -> None:
    for shows, frame in examples("server", name).items():
        assert msgspec.to_builtins(msgspec.convert(frame, ANSWERED[name])) == frame, shows


def test_every_type_of_frame_is_known_here() -> None:
    kinds = [kind for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    kinds += [kind for kind in vars(Words("order", "orders", integer=True)).values() if isinstance(kind, type)]
    tags = {kind.__struct_config__.tag for kind in kinds} - {None}
    assert tags <= SAID.keys() | ANSWERED.keys()
    files = {path.stem for path in WIRE.glob("frames/*/*.json")}
    assert files == SAID.keys() | ANSWERED.keys(), "a fixture of a frame that there is not"


def test_what_is_sent_in_conversations_is_of_its_type() -> None:
    for conversation in SERVED:
        for step in conversation.steps:
            if frame := step.get("server"):
                assert msgspec.to_builtins(msgspec.convert(frame, ANSWERED[frame["type"]])) == frame, str(conversation)


@pytest.mark.django_db(transaction=True)
async def test_a_bad_frame_gets_what_stands_there() -> None:
    viewer = (await sync_to_async(House)({"epoch": "e"})).people["client"]
    async with connect_as(viewer, "/ws/orders/", protocol=SUBPROTOCOL) as socket:
        assert (await socket.next())["type"] == "welcome"
        for refusal in REFUSALS:
            if "gets" not in refusal:
                continue
            frame = refusal["says"]
            if "cursors" in refusal:
                frame["have"]["versions"] = {str(key): 1 for key in range(refusal["cursors"])}
            await socket.say(**frame)
            assert canonical(await socket.next()) == refusal["gets"], refusal["about"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("refusal", [r for r in REFUSALS if "closes" in r], ids=lambda refusal: refusal["about"])
async def test_what_cannot_be_answered_ends_the_socket(refusal: dict[str, Any]) -> None:
    viewer = (await sync_to_async(House)({"epoch": "e"})).people["client"]
    async with connect_as(viewer, "/ws/orders/", protocol=SUBPROTOCOL) as socket:
        if "bytes" in refusal:
            await socket.send_bytes(bytes.fromhex(refusal["bytes"]))
        else:
            text = refusal["text"] * refusal.get("times", 1)
            missing = refusal.get("padded_to", 0) - len(text.encode()) + len("…".encode())
            await socket.send(text.replace("…", "x" * max(0, missing)))
        assert await socket.closed() == refusal["closes"]
        goodbye = socket.frames[-1]
        assert (goodbye["type"], goodbye["code"], goodbye["reconnect"]) == ("goodbye", refusal["closes"], False)


def test_the_document_is_that_of_this_version() -> None:
    out = StringIO()
    call_command(*contract.COMMAND, stdout=out)
    assert out.getvalue() == contract.DOCUMENT.read_text(), (
        "write it: python -m gameBoosterss.development.contract write"
    )


def test_the_document_names_every_end_of_a_socket() -> None:
    document = json.loads(contract.DOCUMENT.read_text())
    assert [entry["code"] for entry in document["x-close-codes"]] == [int(code) for code in Close]


def test_the_limits_of_the_refusals_are_those_of_the_settings() -> None:
    padded = [refusal["padded_to"] for refusal in REFUSALS if "padded_to" in refusal]
    assert padded == [Settings().frame_bytes + 1, Settings().subscribe_bytes + 1]
