"""Polling (PROTOCOL §4): what a socket would be told, told once; and waiting for the next change of a record.

A poll watches nothing: it opens its topic as a socket does, with a host of its own, and is answered. A poll that waits
is a member of the hub until something moves; no thread is held meanwhile.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from asgiref.sync import sync_to_async

from ..feeds import Feed, Viewer
from ..hub import Hub
from ..identity import Claim
from ..listings import Listings
from ..masking import audience_of, text_for
from ..member import Member
from ..protocol.closing import Close
from ..protocol.frames import Update
from ..protocol.messages import Error, Have, Subscribe, Subscribed
from ..protocol.outbox import Item
from ..protocol.session import Send
from ..protocol.subscriptions import BoardOf, Record
from ..reader import Reader
from ..speaker import Speaker
from .opening import Opening, board_asked

Result = TypeVar("Result")


class RequestReader(Reader):
    """Reads in the request's own thread, where no event loop outlives the request (WSGI)."""

    async def call(self, work: Callable[[], Result]) -> Result:
        return await sync_to_async(work)()


class Nowhere:
    """The sink of a member that writes nothing."""

    async def write(self, text: str) -> None: ...

    async def close(self, code: int) -> None: ...


class Poll:
    """The host of one poll: nobody is watched, nothing arrives."""

    def __init__(self, reader: Reader) -> None:
        self.members: dict[Member, None] = {}
        self.listings = Listings()
        self._reader = reader

    def start(self) -> Reader:
        return self._reader

    async def ready_for_boards(self) -> Reader:
        return self._reader

    def hold(self, member: Member, topic: str, *, after: int | None = None) -> None:
        member.session.join(topic, after=after)

    def release(self, member: Member, topic: str, updates: Collection[Update], *, silent: bool = False) -> None:
        for effect in member.session.fetched(topic, list(updates), silent=silent):
            if isinstance(effect, Send):
                for left in member.show(effect):
                    self.unwatch(member, left)

    def unwatch(self, member: Member, topic: str) -> None:
        member.session.leave(topic)


class Answer(Speaker):
    """Keeps what a socket of the sync dialect would be sent: the texts of the updates, and the frames about them."""

    def __init__(self, viewer: Viewer, feed: type[Feed]) -> None:
        super().__init__(viewer, Nowhere(), feed)
        self.updates: list[str] = []
        self.removed: list[Any] = []
        self.subscribed: Subscribed | None = None
        self.synced: Any = None
        self.epoch = ""

    def push(self, item: Item) -> None:
        if (text := self._text(item)) is not None:
            self.updates.append(text)

    def say(self, frame: Any) -> None:
        match frame:
            case Subscribed():
                self.subscribed = frame
            case self.subscriptions.words.synced():
                self.synced = frame
            case self.subscriptions.words.board_changed():
                self.removed += frame.removed

    async def ask(self, said: Subscribe, reader: Reader) -> Error | None:
        """Open what ``said`` asks for, a record or a board; return why not."""
        host, words = Poll(reader), self.subscriptions.words
        host.members[self] = None
        opening = Opening(host, self, said)
        refusal: BoardOf | Error | None
        if (name := words.board(said.topic)) is not None:
            board = board_asked(self, said, name)
            if isinstance(board, Error):
                return board
            self.subscriptions.add_board(board)
            refusal = await opening.board(board)
        elif (topic := words.topic(said.topic)) is not None:
            record = Record(said.id, topic, said.mode == "all")
            self.subscriptions.add_record(record)
            refusal = await opening.record(record)
        else:
            known = ", ".join(f"{words.plural}:{name}" for name in self.feed.boards)
            return Error("unknown_topic", f"there are {words.name}:<key> and {known}", False, said.id)
        self.epoch = opening.epoch
        return refusal


class Waiter(Speaker):
    """Waits for a state of one record that is newer than the one its client holds."""

    def __init__(self, viewer: Viewer, feed: type[Feed], claim: Claim) -> None:
        super().__init__(viewer, Nowhere(), feed, claim)
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def wait(self, key: Any, *, epoch: str, version: int, seconds: float) -> bool:
        """Return whether something moved, or the right was lost, or the server ends; ``False``: nothing in time."""
        hub, feed = Hub.current(), self.feed
        said = Subscribe(feed.name, f"{feed.name}:{key}", have=Have(epoch, {str(key): version}))
        record = Record(said.id, feed.topic(key), False)
        hub.start()
        hub.enrol(self)
        self.subscriptions.add_record(record)
        try:
            async with asyncio.timeout(seconds):
                if await Opening(hub, self, said).record(record) is None:
                    await self._over
        except TimeoutError:
            return False
        finally:
            hub.leave(self)
        return True

    def show(self, send: Send) -> list[str]:
        left = super().show(send)
        self._stop()
        return left

    def lose(self, topic: str) -> list[str]:
        left = super().lose(topic)
        self._stop()
        return left

    def push(self, item: Item) -> None: ...

    def say(self, frame: Any) -> None: ...

    def beat(self, now: float) -> None: ...

    def end(self, code: Close, *, retry_after: float = 0.0) -> None:
        self._stop()

    def _stop(self) -> None:
        if not self._over.done():
            self._over.set_result(None)


class Seen:
    """A record's newest state as one viewer sees it, and the tag that names it."""

    def __init__(self, epoch: str, update: Update, audience: str) -> None:
        self.epoch, self.update, self.audience = epoch, update, audience

    @property
    def tag(self) -> str:
        return f'"{self.epoch}:{self.update.version}:{self.audience}"'

    @property
    def text(self) -> str:
        return text_for(self.update, self.audience)


async def still(reader: Reader, feed: type[Feed], claim: Claim, before: Viewer) -> Viewer | None:
    """Return who stands behind ``claim`` now; ``None``: nobody, or not who it was ``before`` he waited."""
    user = (await reader.accounts([claim])).get(claim)
    viewer = None if user is None else feed.viewer(user)
    return viewer if viewer is not None and viewer.id == before.id else None


async def seen(reader: Reader, feed: type[Feed], key: Any, viewer: Viewer) -> Seen | None:
    """Return what ``viewer`` sees of a record now; ``None``: there is no such record for him."""
    if key is None:
        return None
    epoch = await reader.epoch()
    update = await reader.state(feed.topic(key))
    audience = None if update is None else audience_of(update, viewer)
    return None if update is None or audience is None else Seen(epoch, update, audience)
