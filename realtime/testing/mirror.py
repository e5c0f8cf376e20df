"""What a correct client of the sync dialect holds: takes every frame, and fails where PROTOCOL §3 is broken."""

from collections.abc import Iterator
from typing import Any, Literal

from ..feeds import Feed
from .history import Frame

Judgement = Literal["apply", "ignore", "ask again"]


class Mirror:
    """The records and boards of one client, built of frames alone. It outlives its sockets: ``have`` resumes it.

    Fails with ``AssertionError`` on a version twice, a gap, a board without the state of its member, and on any frame
    of a record that was taken away.
    """

    def __init__(self, feed: type[Feed]) -> None:
        self._words = feed.words()
        self.epoch = ""
        """Of what is held: a welcome with another one says that all of it is of another history."""
        self._welcomed = ""
        self.records: dict[str, Frame] = {}
        self.boards: dict[str, list[str]] = {}
        self.topics: dict[str, str] = {}
        """The key that each id of a record's topic stands for."""
        self._doubtful: set[str] = set()
        """What the server does not go on from: the next state replaces it, whatever its version."""

    def says(self, frame: Frame) -> None:
        """Take a frame that the client sends."""
        if frame["type"] == "unsubscribe":
            self._end(frame["id"])

    def take(self, frame: Frame) -> None:
        """Take one frame, in the order in which they came."""
        kind = frame["type"]
        if kind == f"{self._words.name}.update":
            self._update(frame)
        elif kind == "welcome":
            self._welcomed = frame["epoch"]
            if not self.records:
                self.epoch = self._welcomed
        elif kind == "subscribed":
            self._subscribed(frame)
        elif kind == "synced":
            self._synced(frame)
        elif kind == "board":
            self._board(frame)
        elif kind == "revoked" or (kind == "error" and frame.get("code") in ("not_found", "unavailable")):
            self._end(frame["id"])
        if kind in ("synced", "revoked", "heartbeat", "pong"):
            loose = self.records.keys() - set(self._covered())
            assert not loose, f"a state of {', '.join(loose)} came, and no topic has it"

    def judge(self, frame: Frame) -> Judgement:
        """Return what a client does with a state: take it, leave it, or subscribe again with what it holds."""
        key, version = self._key(frame), frame["version"]
        held, follows = self.records.get(key), frame.get("prev", version - 1)
        if held is None or (follows is None and key in self._doubtful):
            return "apply"
        if version <= held["version"]:
            return "ignore"
        return "apply" if follows is None or follows <= held["version"] else "ask again"

    def have(self, *keys: str) -> dict[str, Any]:
        """Return the cursors of ``keys``, or of everything that is held."""
        wanted = keys or tuple(self.records)
        return {"epoch": self.epoch, "versions": {key: self.records[key]["version"] for key in wanted}}

    def forget(self, chosen: str = "") -> None:
        """Forget the topic ``chosen``, and every record that no topic covers: a board may have ended half opened."""
        self.topics.pop(chosen, None)
        self.boards.pop(chosen, None)
        covered = set(self._covered())
        self.records = {key: frame for key, frame in self.records.items() if key in covered}

    def _key(self, frame: Frame) -> str:
        return str(frame[f"{self._words.name}_id"])

    def _update(self, frame: Frame) -> None:
        key, held = self._key(frame), self.records.get(self._key(frame), {}).get("version")
        came = f"version {frame['version']} with prev {frame.get('prev', 'as usual')}"
        assert self.judge(frame) == "apply", f"{key}: {came}, held {held}"
        self._doubtful.discard(key)
        self.records[key] = frame

    def _subscribed(self, frame: Frame) -> None:
        topic = self._words.topic(frame["topic"])
        if topic is None:
            self.boards.setdefault(frame["id"], [])
        else:
            self.topics[frame["id"]] = str(self._words.key(topic))
        if frame["reason"] == "epoch" and self.epoch != self._welcomed:
            self.records.clear()
            self.epoch = self._welcomed
        if frame["reason"] == "ahead":
            self._doubtful |= self.records.keys()

    def _synced(self, frame: Frame) -> None:
        for key, version in frame[self._words.plural].items():
            held = self.records.get(key)
            assert held is not None, f"{key} is a member of {frame['id']}, its state never came"
            assert held["version"] == version, f"{key}: synced at {version}, held {held['version']}"
        if frame["id"] not in self.topics:
            before = self.boards[frame["id"]]
            self.boards[frame["id"]] = list(frame[self._words.plural])
            for key in before:
                self._drop(key)

    def _board(self, frame: Frame) -> None:
        board = self.boards.get(frame["id"])
        if board is None:
            return
        for key in map(str, frame["added"]):
            assert key in self.records, f"{key} was added to {frame['id']}, its state never came"
            assert key not in board, f"{key} was added to {frame['id']} twice"
            board.insert(0, key)
        for removal in frame["removed"]:
            key = self._key(removal)
            if key in board:
                board.remove(key)
            self._drop(key)

    def _end(self, chosen: str) -> None:
        for key in [*filter(None, [self.topics.pop(chosen, None)]), *self.boards.pop(chosen, [])]:
            self._drop(key)

    def _drop(self, key: str) -> None:
        if key not in set(self._covered()):
            self.records.pop(key, None)
            self._doubtful.discard(key)

    def _covered(self) -> Iterator[str]:
        yield from self.topics.values()
        for board in self.boards.values():
            yield from board
