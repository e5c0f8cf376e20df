"""Opening a topic of the sync dialect, in the order of PROTOCOL §3: hold, read, say what follows, send, release."""

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from .. import conf, metrics
from ..boards import Listing, filters_of
from ..exceptions import BadFilter
from ..listings import Listings
from ..member import Member
from ..protocol.frames import Update
from ..protocol.messages import Error, Subscribe, Subscribed
from ..protocol.resume import cursors, resumption
from ..protocol.subscriptions import FILTERED, FORBIDDEN, LIMIT, BoardOf, Record
from ..reader import Reader
from ..speaker import Speaker


class Host(Protocol):
    """What opening needs of the hub. A poll, which watches nothing, brings a host of its own."""

    members: dict[Member, None]
    listings: Listings

    def start(self) -> Reader: ...
    async def ready_for_boards(self) -> Reader: ...
    def hold(self, member: Member, topic: str, *, after: int | None = None) -> None: ...
    def release(self, member: Member, topic: str, updates: Collection[Update], *, silent: bool = False) -> None: ...
    def unwatch(self, member: Member, topic: str) -> None: ...


def board_asked(speaker: Speaker, said: Subscribe, name: str) -> BoardOf | Error:
    """Return the board ``name`` as ``said`` asks for it, or why this viewer does not get it."""
    feed, viewer = speaker.feed, speaker.viewer
    declared = feed.boards.get(name)
    conditions = declared.conditions(role=viewer.role, viewer_id=viewer.id) if declared else None
    if conditions is None:
        return Error("forbidden", "there is no such board for you", False, said.id)
    if said.mode == "all":
        return Error("bad_frame", "a board has the mode latest only", False, said.id)
    try:
        listing = Listing(feed.name, conditions, filters_of(feed, said.filter or {}))
    except BadFilter as error:
        return Error("bad_filter", str(error), False, said.id)

    def lists(update: Update) -> bool:
        return update.state is not None and speaker.sees(update) and listing.has(update.state)

    return BoardOf(said.id, name, listing, lists, said.limit)


class Opening:
    """One ``subscribe``: from the reservation of its id to ``synced``, or to the error that is answered."""

    def __init__(self, hub: Host, speaker: Speaker, said: Subscribe) -> None:
        self._hub, self._speaker, self._said = hub, speaker, said
        self._words = speaker.subscriptions.words
        self.epoch = ""
        self._cursors: dict[str, int] = {}
        self._new: list[str] = []
        self._leavings = speaker.session.leavings()

    async def record(self, record: Record) -> Error | None:
        """Open one record."""
        reader, topic = self._hub.start(), record.topic
        if self._speaker.feed.key(topic.partition(".")[2]) is None:
            return self._not_found()
        await self._weigh(reader)
        self._hold([topic])
        update = (await self._states(reader, [topic])).get(topic)
        if update is None or not self._speaker.sees(update):
            return self._not_found()
        updates, is_whole = [update], True
        if record.whole and topic in self._new:
            updates, is_whole = await self._every_version(reader, update)
            # Another topic of this socket may have brought the newest state meanwhile.
            is_whole &= self._speaker.session.sent(topic) in (None, self._cursors.get(topic))
        if self._is_open():
            self._say_subscribed({topic: update}, is_whole=is_whole)
            self._hub.release(self._speaker, topic, updates)
            self._say_synced([topic], 1)
        return None

    async def board(self, board: BoardOf) -> Error | None:
        """Open a board: its members' states, what was left since, and ``synced``."""
        reader = await self._hub.ready_for_boards()
        self._hub.listings.add(board, self._speaker)
        try:
            await self._weigh(reader)
            keys, total = await reader.listed(board.listing, board.limit)
            topics = [self._speaker.feed.topic(key) for key in keys]
            self._hold(topics)
            found = await self._states(reader, topics)
            left = await self._left(reader, board, topics)
            if self._is_open():
                self._show(board, {topic: found[topic] for topic in topics if topic in found}, total, left)
        finally:
            covers = self._speaker.subscriptions.covers
            for topic in self._new:
                if not covers(topic):
                    self._hub.unwatch(self._speaker, topic)
        return None

    def _show(self, board: BoardOf, found: Mapping[str, Update], total: int, left: Mapping[str, str]) -> None:
        newest = {**found, **(board.passed or {})}
        members = self._speaker.subscriptions.opened(board, found, total)
        self._say_subscribed(members)
        for topic, update in members.items():
            self._hold([topic])
            self._hub.release(self._speaker, topic, [update])
        # Whoever was listed, and left or gave way while the board was read, is not among those who had left before.
        passed = {t: self._why_not(board, newest.get(t)) for t in sorted(self._cursors) if t not in left}
        gone = {topic: reason for topic, reason in {**left, **passed}.items() if topic not in members}
        if gone:
            self._speaker.say(self._words.removed(board.id, gone))
        self._say_synced(board.members, board.total)

    def _why_not(self, board: BoardOf, update: Update | None) -> str:
        """Return why a record is not on the board in this version."""
        if update is None or not self._speaker.sees(update):
            return FORBIDDEN
        return LIMIT if board.lists(update) else FILTERED

    async def _weigh(self, reader: Reader) -> None:
        """Take the client's cursors, unless they are of another history."""
        self.epoch = await reader.epoch()
        feed = self._speaker.feed
        held = cursors(self._said.have, epoch=self.epoch)
        self._cursors = {feed.topic(key): held[text] for text in held if (key := feed.key(text)) is not None}

    def _hold(self, topics: Iterable[str]) -> None:
        for topic in topics:
            if topic not in self._speaker.session:
                self._raise_cursor(topic)
                self._hub.hold(self._speaker, topic, after=self._cursors.get(topic))
                self._new.append(topic)

    def _raise_cursor(self, topic: str) -> None:
        """Go on from what another topic of this socket has brought, and lost, since the client said what it holds."""
        if topic in self._cursors:
            self._cursors[topic] = max(self._cursors[topic], self._leavings.had.get(topic, 0))

    async def _states(self, reader: Reader, topics: list[str]) -> dict[str, Update]:
        """Read the states; once more those of which the client says that it has a newer one."""
        found = await reader.states(topics)
        ahead = self._ahead(found)
        if ahead:
            found |= await reader.states(ahead)
        for topic in self._ahead(found):
            if self._speaker.session.sent(topic) == self._cursors[topic]:  # nothing newer was written meanwhile
                self._speaker.session.restart(topic)
        return found

    def _ahead(self, found: Mapping[str, Update]) -> list[str]:
        return [t for t in self._new if t in found and self._cursors.get(t, -1) > found[t].version]

    async def _every_version(self, reader: Reader, update: Update) -> tuple[list[Update], bool]:
        """Return the versions after the cursor that this viewer saw, and whether none is missing; else the newest."""
        held = self._cursors.get(update.topic)
        if held is None or held >= update.version:
            return [update], True
        found = (await reader.missed({update.topic: held}, limit=conf.current().catch_up_limit))[update.topic]
        is_whole = bool(found) and len(found) == found[-1].version - held
        return [u for u in found[:-1] if self._speaker.sees(u)] + found[-1:], is_whole

    async def _left(self, reader: Reader, board: BoardOf, topics: Iterable[str]) -> dict[str, str]:
        """Return which records the client holds that are not listed any more, and what he may know of why."""
        gone = self._cursors.keys() - set(topics)
        newest = await reader.missed(dict.fromkeys(gone, -1), limit=0) if gone else {}
        return {topic: self._reason(board, newest[topic]) for topic in sorted(gone)}

    def _reason(self, board: BoardOf, newest: Iterable[Update]) -> str:
        if not any(map(self._speaker.sees, newest)):
            return FORBIDDEN
        return LIMIT if any(map(board.lists, newest)) else FILTERED

    def _is_open(self) -> bool:
        return self._said.id in self._speaker.subscriptions and self._speaker in self._hub.members

    def _say_subscribed(self, newest: Mapping[str, Update], *, is_whole: bool = True) -> None:
        heads = {topic: update.version for topic, update in newest.items()}
        held = {topic: self._cursors[topic] for topic in self._new if topic in self._cursors}
        judged = resumption(self._said.have, epoch=self.epoch, heads=heads, held=held, is_whole=is_whole)
        if self._said.have is not None:
            metrics.resumed.labels(judged.reason or "recovered").inc()
        self._speaker.say(Subscribed(self._said.id, self._said.topic, judged.recovered, judged.reason))

    def _say_synced(self, topics: Iterable[str], total: int) -> None:
        if self._is_open():
            versions = {topic: self._speaker.session.sent(topic) or 0 for topic in topics}
            self._speaker.say(self._words.complete(self._said.id, versions, total))

    def _not_found(self) -> Error:
        return Error("not_found", f"there is no such {self._words.name} for you", False, self._said.id)
