"""Frames that no client should send, made of the golden fixtures by a seeded generator."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

from tests.wire import BINARY, TEXT, frame

WIRE = Path(__file__).resolve().parent.parent / "wire"
NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53, 2**53 + 1, 2**63, 2**64, -(2**63), 0.1, -0.0, 1e308),
    *("", " ", "\0", "\r\n", "é", "\U0001f600", "\u202e", "٣", "NaN", "1e999", "x" * 5000, "%00", "' OR 1=1 --", "{}"),
    *("all", "latest", "subscribe", "unsubscribe", "ping", "order", "orders:all", "orders:mine", "order:", "order:-1"),
    *([], {}, [[]], [None], {"": ""}, {"a": {"a": {}}}, ["x"] * 300, {str(number): number for number in range(300)}),
)
BROKEN = (
    *(b"NaN", b"1e999", b"9" * 400, b"-Infinity", b'"\\ud800"', b'"\\udc00\\ud800"'),
    *(b"\xed\xa0\x80", b"\xff", b"\0", b"\\u", b'"'),
)


class Mutations:
    """An endless stock of wrong frames. ``topics``: what is there to subscribe to."""

    def __init__(self, seed: str, topics: list[str]) -> None:
        self.random, self.topics = Random(seed), topics
        self.frames = list(_fixtures())

    def object(self) -> bytes:
        """Return the text of an object that may be a frame of any type but ``auth``: it ends no socket."""
        while True:
            made = deepcopy(self.random.choice(self.frames))
            for _ in range(self.random.randint(0, 4)):
                self._change(made)
            data = json.dumps(made, ensure_ascii=self.random.random() < 0.5).encode()
            if made.get("type") != "auth" and len(data) <= 16_000:
                return data

    def text(self) -> bytes:
        """Return bytes that may be no JSON, no object, or no UTF-8."""
        data = self.object()
        match self.random.randrange(8):
            case 0:
                at = self.random.randrange(len(data) or 1)
                return data[:at]
            case 1:
                depth = self.random.choice((1_000, 3_000, 7_000))
                opening, closing = self.random.choice(((b"[", b"]"), (b'{"a":', b"}")))
                return (opening * depth + b"1" + closing * depth)[:16_000]
            case 2:
                depth = b"[" * 1_000 + b"]" * 1_000
                return b'{"type":"subscribe","id":"a","topic":"orders:mine","filter":{"status":' + depth + b"}}"
            case 3:
                return bytes(self.random.randrange(256) for _ in range(self.random.randrange(60)))
            case 4:
                return json.dumps({"type": "auth", "ticket": self.random.choice(NASTY)}).encode()
            case 5:
                return data + self.random.choice((data, b",", b"\0", b" {}"))
            case _:
                at = self.random.randrange(len(data) or 1)
                return data[:at] + self.random.choice(BROKEN) + data[at + self.random.randrange(3) :]

    def worse(self) -> bytes:
        """Return a client's frame that may end its socket: ``text``, or the same as bytes."""
        return frame(self.text(), BINARY if self.random.random() < 0.1 else TEXT)

    def _change(self, made: dict[str, Any]) -> None:
        place, key = self._place(made)
        match self.random.randrange(5):
            case 0 if isinstance(place, dict):
                place[str(self.random.choice(NASTY))] = deepcopy(self.random.choice(NASTY))
            case 1 if isinstance(place, dict):
                place.pop(key, None)
            case 2:
                made.update(deepcopy(self.random.choice(self.frames)))
            case 3:
                made["topic"] = self.random.choice(self.topics)
            case _:
                place[key] = deepcopy(self.random.choice(NASTY))

    def _place(self, made: Any) -> tuple[Any, Any]:
        """Return somewhere in ``made``: a container, and a key of it."""
        while True:
            keys = list(made) if isinstance(made, dict) else list(range(len(made)))
            if not keys:
                if isinstance(made, list):
                    made.append(None)
                return made, "type" if isinstance(made, dict) else 0
            key = self.random.choice(keys)
            if not isinstance(made[key], dict | list) or self.random.random() < 0.3:
                return made, key
            made = made[key]


def _fixtures() -> Iterator[dict[str, Any]]:
    for path in sorted(WIRE.glob("frames/*/*.json")):
        yield from json.loads(path.read_text()).values()
    for path in sorted(WIRE.glob("conversations/*.json")):
        for step in json.loads(path.read_text())["steps"]:
            if "client" in step:
                yield step["client"]
