"""The history of an order in a person's words. What he may read of it, ``realtime.history`` decides."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from django.http import QueryDict

from accounts.models import User
from dashboards.forms import HistoryForm
from dashboards.game_pages import game_page
from dashboards.selectors import order_key
from dashboards.templatetags.order_values import label
from dashboards.words import words_for
from orders.exceptions import OrderNotFound
from orders.feeds import OrderFeed
from realtime import history
from realtime.actor import of_user
from realtime.erasure import ERASED
from realtime.feeds import Viewer
from realtime.head import Frame, frame_as_of
from realtime.history import Entry, Wanted

ROWS = 25  # versions on a page
PLACE = ("reached_rank", "reached_division", "reached_marks")
IN_OTHER_WORDS = frozenset({"message", "booster_id", *PLACE})  # the headline, the name, and the place say these
FIELD_KINDS = {
    "actual_price": "money",
    "booster_price": "money",
    "booster_username": "name",
    "client_username": "name",
    "created_at": "time",
    "disputed": "dispute",
    "last_payment": "record",
    "last_payout": "record",
    "note": "note",
    "progress": "percent",
}


class CutOff(Exception):
    """There is more of the history, ``below`` a version or all of it, and its reader may not read it now."""

    def __init__(self, below: int | None) -> None:
        what = "This is not all" if below is None else f"This is not all: versions below {below} are missing"
        super().__init__(f"{what}. You were logged out, or may not read it any more. Log in and download it again.")


@dataclass(frozen=True, slots=True)
class Line:
    """What changed, in words; ``was_seen``: ``before`` is known to the reader."""

    label: str
    before: str
    after: str
    was_seen: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """One version on the page."""

    entry: Entry
    headline: str
    who: str
    lines: Sequence[Line]

    @property
    def day(self) -> date:
        return self.entry.at.astimezone(UTC).date()

    @property
    def role(self) -> str:
        """The database role, where that is news: SQL wrote, and called itself somebody else."""
        says = self.entry.source == "sql" and self.entry.actor != f"role:{self.entry.role}"
        return self.entry.role if says else ""

    @property
    def is_step(self) -> bool:
        """Whether the status changed, to one that there is."""
        return not self.entry.is_deletion and any(change.field == "status" for change in self.entry.changes)

    @property
    def status(self) -> str:
        return "Dropped" if self.entry.is_deletion else str(self.entry.values.get("status", ""))


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody in front of one order's history; ``sees`` are the fields that he may read and ask for."""

    topic: str
    order_id: int
    viewer: Viewer
    audience: str

    @property
    def is_auditor(self) -> bool:
        return self.audience in OrderFeed.auditors

    @property
    def sees(self) -> list[str]:
        shown = OrderFeed.shown(self.audience)
        return [name for name in OrderFeed.fields if name in shown]

    @property
    def masked(self) -> list[str]:
        return [name for name in OrderFeed.fields if name not in self.sees]


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A page of the history; ``trimmed`` is the oldest version that is left, where older ones are gone."""

    reader: Reader
    title: str
    moments: Sequence[Moment]
    form: HistoryForm
    is_filtered: bool
    is_below: bool
    older: int | None
    trimmed: int | None
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class StatePage:
    """The order as it was at one version, and the versions beside it that the reader may open."""

    reader: Reader
    frame: Frame
    moment: Moment
    rows: Sequence[tuple[str, str, bool]]
    older: int | None
    newer: int | None


def reader_for(user: User, text: str) -> Reader:
    """Return ``user`` as a reader of the order that ``text`` names; missing and forbidden look the same."""
    order_id, viewer = order_key(text), OrderFeed.viewer(user)
    topic = OrderFeed.topic(order_id)
    audience = history.audience_now(topic, viewer)
    if audience is None:
        raise OrderNotFound(order_id)
    return Reader(topic, order_id, viewer, audience)


def form_for(reader: Reader, data: QueryDict) -> HistoryForm:
    """Return the filters that ``reader`` has, filled with ``data``."""
    choices = history.choices(reader.topic, reader.viewer)
    names = names_of(choices.actors)
    return HistoryForm(
        data,
        fields=[(name, label(name)) for name in reader.sees],
        actors=sorted(((actor, who(actor, names)) for actor in choices.actors), key=lambda pair: pair[1].lower()),
        sources=[(source, source) for source in choices.sources],
    )


def history_page(user: User, text: str, data: QueryDict) -> HistoryPage:
    """Return the newest versions, or those below ``data["below"]``, that the filters in ``data`` let through."""
    reader = reader_for(user, text)
    form = form_for(reader, data)
    wanted = form.wanted()
    below = OrderFeed.key(data.get("below", ""))
    found = history.timeline(reader.topic, reader.viewer, wanted=wanted, below=below, limit=ROWS)
    newest = history.timeline(reader.topic, reader.viewer, limit=1)
    if found is None or newest is None:  # lost meanwhile
        raise OrderNotFound(reader.order_id)
    is_deleted = any(entry.is_deletion for entry in newest.entries)
    values = next((values_of(entry) for entry in newest.entries), {})
    return HistoryPage(
        reader=reader,
        title=str(values.get("title") or f"Order {reader.order_id}"),
        moments=moments_of(reader, found.entries),
        form=form,
        is_filtered=wanted != Wanted(),
        is_below=below is not None,
        older=found.older,
        trimmed=found.floor if found.older is None and (found.floor or 1) > 1 else None,
        is_deleted=is_deleted,
    )


def state_page(user: User, text: str, version_text: str) -> StatePage:
    """Return the order as of a version; raise ``realtime.exceptions.Trimmed`` where that is not kept any more."""
    reader = reader_for(user, text)
    version = OrderFeed.key(version_text)
    frame = None if version is None else frame_as_of(reader.topic, version, reader.viewer)
    if version is None or frame is None:
        raise OrderNotFound(reader.order_id)
    beside = history.timeline(reader.topic, reader.viewer, wanted=Wanted(first=version - 1, last=version + 1))
    entries = {entry.version: entry for entry in beside.entries} if beside else {}
    if version not in entries:  # lost or trimmed between two questions
        raise OrderNotFound(reader.order_id)
    (moment,) = moments_of(reader, [entries[version]])
    return StatePage(
        reader=reader,
        frame=frame,
        moment=moment,
        rows=_rows(reader, frame, {change.field for change in entries[version].changes}),
        older=version - 1 if version - 1 in entries else None,
        newer=version + 1 if version + 1 in entries else None,
    )


def _rows(reader: Reader, frame: Frame, changed: set[str]) -> list[tuple[str, str, bool]]:
    """Return what the reader sees of ``frame``: what it is called, what it says, and whether it changed."""
    named = [name for name in reader.sees if name not in ("booster_id", *PLACE)]
    rows = [(label(name), words_of(name, frame[name]), name in changed) for name in named]
    return [*rows, ("Reached", place_of(frame), not changed.isdisjoint(PLACE))]


def batches_for(
    reader: Reader, wanted: Wanted, still: Callable[[], bool] = lambda: True
) -> Iterator[tuple[list[Entry], Mapping[str, str]]]:
    """Yield all entries, newest first, in batches with the names of who acted; raise ``CutOff`` when the order is lost.

    A file may take its reader minutes: ``still`` says before each batch whether he is who he was.
    """
    below: int | None = None
    while still():
        found = history.timeline(reader.topic, reader.viewer, wanted=wanted, below=below, limit=history.MOST)
        if found is None:
            break
        yield found.entries, names_of({entry.actor for entry in found.entries})
        below = found.older
        if below is None:
            return
    raise CutOff(below)


def names_of(actors: Collection[str]) -> dict[str, str]:
    """Return the name of each actor that is an account which still exists; one query."""
    parts = (actor.partition(":") for actor in actors)
    keys = [key for kind, _, text in parts if kind == "user" and (key := OrderFeed.key(text)) is not None]
    return {of_user(user.pk): f"{user.username} ({user.role})" for user in User.objects.filter(pk__in=keys)}


def who(actor: str, names: Mapping[str, str]) -> str:
    """Return ``actor`` in words; '' where nobody is named."""
    if not actor or actor in names:
        return names.get(actor, "")
    kind, _, name = actor.partition(":")
    kinds = {"user": "Account", "command": "Command", "role": "Database role"}
    return "An erased person" if actor == ERASED else f"{kinds.get(kind, kind)} {name}".strip()


def moments_of(reader: Reader, entries: Sequence[Entry]) -> list[Moment]:
    names = names_of({entry.actor for entry in entries}) if reader.is_auditor else {of_user(reader.viewer.id): "You"}
    return [Moment(entry, headline_of(entry), who(entry.actor, names), lines_of(entry)) for entry in entries]


def headline_of(entry: Entry) -> str:
    """Return the sentence of the service that made the version, or what there is to say without one."""
    if entry.is_deletion:
        return "The order was deleted."
    changed = {change.field for change in entry.changes}
    if "message" in changed and entry.values["message"]:
        return str(entry.values["message"])
    if not changed:
        return "Something changed that is not for your role."
    return "The order appeared." if entry.is_first else "The order was changed."


def lines_of(entry: Entry) -> list[Line]:
    """Return what changed; nothing for a deletion, after which there is nothing."""
    if entry.is_deletion:
        return []
    lines = [
        Line(
            label(change.field),
            words_of(change.field, change.before),
            words_of(change.field, change.after),
            change.was_seen,
        )
        for change in entry.changes
        if change.field not in IN_OTHER_WORDS and (change.was_seen or not _is_nothing(change.after))
    ]
    return [*lines, *_place_lines(entry)]


def _is_nothing(value: Any) -> bool:
    return value in (None, "") or value is False


def _place_lines(entry: Entry) -> list[Line]:
    """Return the three fields of the reached place as one line, in the words of its game."""
    changes = [change for change in entry.changes if change.field in PLACE]
    if not changes:
        return []
    before = {**entry.values, **{change.field: change.before for change in changes}}
    was_seen = changes[0].was_seen
    return [Line("Reached", place_of(before) if was_seen else "", place_of(entry.values), was_seen)]


def place_of(values: Mapping[str, Any]) -> str:
    rank, division, marks = (values.get(name) for name in PLACE)
    page = game_page(str(values.get("game")))
    if not rank or page is None:
        return str(rank or "nowhere yet")
    return page.place(rank, division, marks)


def values_of(entry: Entry) -> Mapping[str, Any]:
    """Return the last values that there were: for a deletion those before it."""
    return {change.field: change.before for change in entry.changes} if entry.is_deletion else entry.values


def words_of(name: str, value: Any) -> str:
    return words_for(FIELD_KINDS.get(name, "text"), value)
