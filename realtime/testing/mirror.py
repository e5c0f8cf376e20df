"""What a correct client of the sync dialect holds: takes every frame, and fails where PROTOCOL §3 is broken."""

from collections.abc import Iterator
from typing import Any

from ..feeds import Feed
from .history import Frame


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
        self._begins: dict[str, Any] = {}
        self.records: dict[str, Frame] = {}
        self.boards: dict[str, list[str]] = {}
        self.topics: dict[str, str] = {}
        """The key that each id of a record's topic stands for."""

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
        elif kind == "revoked" or (kind == "error" and frame.get("id") in self.topics):
            self._drop(self.topics.pop(frame["id"]))
        if kind in ("synced", "revoked", "heartbeat", "pong"):
            loose = self.records.keys() - set(self._covered())
            assert not loose, f"a state of {', '.join(loose)} came, and no topic has it"

    def have(self, *keys: str) -> dict[str, Any]:
        """Return the cursors of ``keys``, or of everything that is held."""
        wanted = keys or tuple(self.records)
        return {"epoch": self.epoch, "versions": {key: self.records[key]["version"] for key in wanted}}

    def _subscribed(self, frame: Frame) -> None:
        self._begins[frame["id"]] = frame["reason"]
        if frame["reason"] == "epoch" and self.epoch != self._welcomed:
            self.records.clear()
            self.epoch = self._welcomed

    def _update(self, frame: Frame) -> None:
        key, version = str(frame[f"{self._words.name}_id"]), frame["version"]
        held = self.records.get(key)
        if held is not None:
            follows = frame.get("prev", version - 1)
            begins_anew = follows is None and "ahead" in self._begins.values()
            assert begins_anew or version > held["version"], f"{key}: version {version} after {held['version']}"
            assert follows in (None, held["version"]), f"{key}: {version} follows {follows}, held {held['version']}"
        self.records[key] = frame

    def _synced(self, frame: Frame) -> None:
        for key, version in frame[self._words.plural].items():
            held = self.records.get(key)
            assert held is not None, f"{key} is a member of {frame['id']}, its state never came"
            assert held["version"] == version, f"{key}: synced at {version}, held {held['version']}"
        self._begins.pop(frame["id"], None)
        if frame["id"] not in self.topics:
            before = self.boards.get(frame["id"], [])
            self.boards[frame["id"]] = list(frame[self._words.plural])
            self._drop(*before)

    def _board(self, frame: Frame) -> None:
        board = self.boards.setdefault(frame["id"], [])
        for key in map(str, frame["added"]):
            assert key in self.records, f"{key} was added to {frame['id']}, its state never came"
            assert key not in board, f"{key} was added to {frame['id']} twice"
            board.insert(0, key)
        for removal in frame["removed"]:
            key = str(removal[f"{self._words.name}_id"])
            if key in board:
                board.remove(key)
            self._drop(key)

    def _drop(self, *keys: str) -> None:
        covered = set(self._covered())
        for key in keys:
            if key not in covered:
                self.records.pop(key, None)

    def _covered(self) -> Iterator[str]:
        yield from self.topics.values()
        for board in self.boards.values():
            yield from board
