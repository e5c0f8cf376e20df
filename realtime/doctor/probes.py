"""Every way to write, tried on a real row in a transaction that is rolled back: was it seen, and seen rightly?

A path passes when the log, after the capture ran, has what the row has. Nobody hears of it: nothing is committed,
no receiver of a signal is called, the relay sleeps. A writer of the same row waits some milliseconds.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from django.db import Error as DatabaseError
from django.db import OperationalError, models, transaction

from .. import log
from ..capture import orm
from ..capture.functions import PREFIX
from ..capture.sources import Holder, holders
from ..feeds import Part, Record, all_feeds
from . import paths, values
from .finding import RECONCILE, Finding
from .paths import Path, Subject

Result = TypeVar("Result")

TRIES = 3
"""A row may be busy: its writers go first."""
_BUSY = {"55P03", "40P01", "57014"}  # lock not available, deadlock, statement time-out


class _Place:
    """A model that a feed is read from: which row to try, and whose state that is."""

    def __init__(self, holder: Holder, part: type[Part] | None, connection: Any) -> None:
        self.feed, self.part, self.connection = holder.feed, part, connection
        self.model, self.owner = holder.model, holder.owner
        declared = f"{part.__qualname__} in " if part else ""
        self.name = f"{self.feed.name}: {declared}{self.model._meta.db_table}"

    def row(self) -> models.Model | None:
        """Return a row that counts: of a part with ``newest`` it is the newest one."""
        rows = self.model._base_manager.using(self.connection.alias).filter(**{f"{self.owner}__isnull": False})
        if self.part is None:
            return rows.order_by("pk").first()
        return rows.filter(**self.part.where).order_by(f"-{self.part.newest or 'pk'}").first()

    def key(self, row: models.Model) -> Any:
        return getattr(row, self.owner)

    def columns(self) -> Iterator[str]:
        """Yield the declared columns that are the model's own."""
        own = self.feed.fields if self.model is self.feed.model else {}
        for value in (self.part.fills if self.part else own).values():
            found = value.paths.values() if isinstance(value, Record) else [getattr(value, "path", "")]
            yield from (path for path in found if path and "." not in path)

    def state(self, row: models.Model) -> Any:
        return orm.read(self.feed, [self.key(row)], using=self.connection.alias).get(self.key(row))

    def is_logged(self, row: models.Model) -> bool:
        return not log.differing(self.feed, [self.key(row)])

    @contextmanager
    def undone(self) -> Iterator[None]:
        """A transaction that waits for nobody long, and of which nothing stays."""
        using = self.connection.alias
        with paths.quiet(), transaction.atomic(using=using):
            self._say("SET LOCAL lock_timeout = '500ms'; SET LOCAL statement_timeout = '10s'")
            try:
                yield
            finally:
                transaction.set_rollback(True, using=using)

    def capture(self) -> None:
        """Have the capture run now, as at COMMIT."""
        self._say(f"SET CONSTRAINTS {PREFIX}_flush IMMEDIATE; SET CONSTRAINTS {PREFIX}_flush DEFERRED")

    def _say(self, sql: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)


def examine(connection: Any) -> Iterator[Finding]:
    """Yield a finding for each model that a feed is read from, parts and tables between many-to-many included."""
    for feed in all_feeds():
        for holder in holders(feed):
            parts: list[type[Part] | None] = [part for part in feed.parts if part.model is holder.model]
            for part in parts or [None]:
                yield _examined(_Place(holder, part, connection))


def _examined(place: _Place) -> Finding:
    row = place.row()
    if row is None:
        return Finding("ok", f"{place.name}: no row to probe with")
    try:
        outcomes = dict(_tried_all(place, row))
    except DatabaseError as error:
        remedy = "look at the log of the database; writes of this table may fail like this"
        return Finding("FAIL", f"{place.name}: the capture fails: {_short(error)}", remedy)
    escaped = [name for name, outcome in outcomes.items() if outcome == "escaped"]
    busy = [name for name, outcome in outcomes.items() if outcome == "busy"]
    seen = [name for name, outcome in outcomes.items() if outcome == "seen"]
    if escaped:
        remedy = f"run migrate, then {RECONCILE[4:]}; if it stays, report it"
        return Finding("FAIL", f"{place.name}: not seen: {', '.join(escaped)}", remedy, outcomes)
    if busy:
        return Finding("warn", f"{place.name}: row {row.pk} is busy: {', '.join(busy)}", "try again", outcomes)
    refused = [f"{name} ({outcome})" for name, outcome in outcomes.items() if outcome not in ("seen", "busy")]
    said = [f"seen: {', '.join(seen)}" if seen else "nothing can be written"]
    said += [f"refused: {', '.join(refused)}"] if refused else []
    return Finding("ok", f"{place.name}: {'; '.join(said)}", details=outcomes)


def _tried_all(place: _Place, row: models.Model) -> Iterator[tuple[str, str]]:
    """Yield what became of each path: ``seen``, ``escaped``, or why it was refused; ``busy`` ends it."""
    subject = _patient(lambda: _subject(place, row))
    if subject is None:
        yield "any write", "busy"
        return
    ways: list[tuple[str, Path, Path | None]] = [(name, path, None) for name, path in paths.DELETES.items()]
    ways += [(name, path, paths.sql_delete) for name, path in paths.INSERTS.items()]
    if subject.column:
        ways = [(name, path, None) for name, path in paths.UPDATES.items()] + ways
    elif any(place.columns()):
        yield "updates", "no declared column takes another value"
    for name, path, after in ways:
        outcome = _patient(partial(_tried, place, subject, path, after))
        yield name, outcome or "busy"
        if outcome is None:
            return


def _subject(place: _Place, row: models.Model) -> Subject:
    """Return ``row`` with the first declared column and value that the database takes, and that change the state."""
    for column in place.columns():
        field: Any = row._meta.get_field(column)
        for value in values.others(field, getattr(row, field.attname)):
            found = Subject(row, place.connection.alias, column, value)
            if _changes(place, found):
                return found
    return Subject(row, place.connection.alias)


def _changes(place: _Place, subject: Subject) -> bool:
    with place.undone():
        before = place.state(subject.row)
        try:
            with transaction.atomic(using=subject.using):
                paths.update(subject)
        except OperationalError:
            raise
        except DatabaseError:
            return False
        return bool(place.state(subject.row) != before)


def _patient(work: Callable[[], Result]) -> Result | None:
    """Return ``work()``; ``None`` when the row was busy each time."""
    for _ in range(TRIES):
        try:
            return work()
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") not in _BUSY:
                raise
    return None


def _tried(place: _Place, subject: Subject, path: Path, after: Path | None) -> str:
    with place.undone():
        if after is not None:
            if refusal := _refused(subject, after):
                return refusal
            place.capture()
        before = place.state(subject.row)
        if refusal := _refused(subject, path):
            return refusal
        place.capture()
        if place.state(subject.row) == before:
            return "without effect"
        return "seen" if place.is_logged(subject.row) else "escaped"


def _refused(subject: Subject, path: Path) -> str:
    """Write; return the rule of the model or the database that forbids it, or ''."""
    try:
        with transaction.atomic(using=subject.using):
            path(subject)
    except OperationalError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever stands against it, nothing is written: nothing to see
        return type(error).__name__
    return ""


def _short(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
