"""Capture by PostgreSQL itself: triggers generated from the declarations, so that no write escapes.

Installed after ``migrate``, taken off before it when there is something to migrate, and compared by a check. The SQL
that computes a state is compiled by Django from the same declarations that the ORM capture reads.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connections, models, transaction
from django.db.models import Case, Expression, F, Func, JSONField, OuterRef, Subquery, Value, When
from django.db.models.functions import Coalesce
from psycopg import ClientCursor

from ..feeds import Feed, Field, Many, Part, Record, Slot, all_feeds
from . import functions
from .base import newest_of, way_to
from .flush import flush
from .functions import PREFIX, End, Shape, Source
from .sources import captured_tables, far_path, holders, relations, through

_PAIRS = 45
"""Pairs of one ``jsonb_build_object``: PostgreSQL takes a hundred arguments."""


class Plain(Func):
    """A column as JSON will have it; the same text that ``base.plain`` makes."""

    output_field = JSONField()
    arity = 1
    template = "%s"

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:  # type: ignore[override]
        sql, params = compiler.compile(self.source_expressions[0])
        return self.template % _cast(sql, self.source_expressions[0].output_field), params


class Json(Plain):
    """A column as JSON; SQL's NULL where it has none, which becomes JSON's in an object."""

    template = "to_jsonb(%s)"


class JsonOrNull(Plain):
    """A column as JSON, with JSON's null where it has no value."""

    template = "coalesce(to_jsonb(%s), 'null')"


def _cast(sql: str, field: Any) -> str:
    match field:
        case models.DecimalField():
            return f"({sql})::numeric({field.max_digits}, {field.decimal_places})::text"
        case models.DateTimeField():
            return f"""to_char(({sql}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
        case models.DateField():
            return f"to_char(({sql}), 'YYYY-MM-DD')"
        case models.TimeField():
            return f"to_char(({sql}), 'HH24:MI:SS.US')"
        case models.UUIDField():
            return f"({sql})::text"
    return sql


class _Object(Func):
    function = "jsonb_build_object"
    output_field = JSONField()


class _Joined(Func):
    template = "(%(expressions)s)"
    arg_joiner = " || "
    output_field = JSONField()


def _object(pairs: dict[str, Expression]) -> Expression:
    names = list(pairs)
    chunks = [names[i : i + _PAIRS] for i in range(0, len(names), _PAIRS)]
    return _Joined(*(_Object(*(x for name in chunk for x in (_text(name), pairs[name]))) for chunk in chunks))


def _text(value: str) -> Expression:
    return Func(Value(value), template="(%(expressions)s)::text", output_field=models.TextField())


def _constant(value: Any) -> Expression:
    return Func(Value(json.dumps(value)), template="(%(expressions)s)::jsonb", output_field=JSONField())


def state_expression(feed: type[Feed]) -> Expression:
    """Return the expression that makes the state of a row of ``feed.model``, as one JSON object."""
    pairs: dict[str, Expression] = {gate: Plain(F(gate)) for gate in feed.gates}
    for name, field in feed.fields.items():
        if isinstance(field, Field):
            pairs[name] = Plain(F(field.path.replace(".", "__")))
        elif isinstance(field, Many):
            pairs[name] = _list(feed, field)
        else:
            pairs[name] = _slot(feed, name, field)
    return _object(pairs)


def _list(feed: type[Feed], many: Many) -> Expression:
    holder, path = through(feed, many), far_path(feed, many)
    rows = holder.model._base_manager.filter(**{holder.owner: OuterRef("pk")}).order_by(path, "pk")
    values = ArraySubquery(rows.annotate(rt_made=JsonOrNull(F(path))).values("rt_made"))
    return Func(values, function="to_jsonb", output_field=JSONField())


def _slot(feed: type[Feed], name: str, slot: Slot) -> Any:
    """Return what the first part that has a row fills in ``name``; the default where none has one."""
    parts = [part for part in feed.parts if name in part.fills]
    if len(parts) == 1 and slot.default is None:  # no row and no value are both null
        return _of_part(parts[0], name, Json)
    found = [_of_part(part, name, JsonOrNull) for part in parts]
    return Coalesce(*found, _constant(slot.default)) if found else _constant(slot.default)


def _of_part(part: type[Part], name: str, form: type[Plain]) -> Any:
    """Return what ``part`` fills in ``name``; SQL's NULL, which is not JSON's, where it has no row."""
    value = part.fills[name]

    def made(prefix: str) -> Expression:
        if isinstance(value, Record):
            return _object({key: Plain(F(prefix + path.replace(".", "__"))) for key, path in value.paths.items()})
        return form(F(prefix + value.path.replace(".", "__")))

    if part.newest:
        return Subquery(newest_of(part).annotate(rt_made=made("")).values("rt_made")[:1])
    back = way_to(part)
    if form is Json and not isinstance(value, Record):
        return made(f"{back}__")
    return Case(When(**{f"{back}__isnull": False}, then=made(f"{back}__")), output_field=JSONField())


def _shape(feed: type[Feed], connection: Any) -> Shape:
    rows = feed.model._base_manager.using(connection.alias).annotate(rt_state=state_expression(feed))
    sql, params = rows.order_by().values_list("pk", "rt_state").query.get_compiler(connection.alias).as_sql()
    with connection.cursor():  # opens the connection
        text = ClientCursor(connection.connection).mogrify(sql, params)
    pk = feed.model._meta.pk
    quote = connection.ops.quote_name
    key_type = pk.rel_db_type(connection) or "text"
    names = tuple(dict.fromkeys([*feed.gates, *feed.fields]))
    return Shape(feed.name, quote(feed.model._meta.db_table), quote(pk.column), key_type, text, names)


def _sources(feed: type[Feed], connection: Any) -> Iterable[Source]:
    quote = connection.ops.quote_name
    for holder in holders(feed):
        for table, column, among in captured_tables(holder):
            yield Source(feed.name, quote(table), quote(column), *map(quote, among))


def _ends(feed: type[Feed], connection: Any) -> Iterable[End]:
    """Yield the tables at the ends of relations, each with the columns that states show."""
    quote = connection.ops.quote_name
    for relation in relations(feed):
        tables: dict[type[models.Model], list[str]] = {}
        for column in sorted(relation.columns, key=lambda column: column.name):
            tables.setdefault(column.model, []).append(quote(column.column))
        for model, columns in tables.items():
            key = quote(model._meta.pk.column)
            yield End(feed.name, relation.name, quote(model._meta.db_table), key, tuple(columns))


def sources(connection: Any) -> list[Source]:
    """Return every table whose rows are a part of a feed's state, once for each feed."""
    return [source for feed in all_feeds() for source in _sources(feed, connection)]


def ends(connection: Any) -> list[End]:
    """Return every table whose rows states show by a relation."""
    return [end for feed in all_feeds() for end in _ends(feed, connection)]


def wanted(connection: Any) -> tuple[str, str]:
    """Return the SQL that the declarations ask for, and its checksum."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = connection.ops.quote_name(cursor.fetchone()[0])
    feeds = all_feeds()
    shapes = [_shape(feed, connection) for feed in feeds]
    parts = [functions.MARKS]
    parts += [functions.state(shape, schema) for shape in shapes]
    parts += [flush(shapes, schema)]
    parts += [functions.follow(end, schema) for end in ends(connection)]
    parts += [functions.mark(source, schema) for source in sources(connection)]
    text = "\n".join(parts)
    return text, hashlib.sha256(text.encode()).hexdigest()


def installed(connection: Any) -> str:
    """Return the checksum of what is installed; empty when nothing is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description(to_regproc(%s))", [f"{PREFIX}_flush"])
        (comment,) = cursor.fetchone()
    found = re.search(r"[0-9a-f]{64}", comment or "")
    return found[0] if found else ""


def install(using: str, *, anew: bool = False) -> bool:
    """Put the triggers in force; ``False`` when they already were, by their checksum, and are not wanted ``anew``.

    One transaction: no write slips between.
    """
    connection = connections[using]
    text, checksum = wanted(connection)
    if installed(connection) == checksum and not anew:
        return False
    with transaction.atomic(using=using), connection.cursor() as cursor:
        cursor.execute(functions.DROP)
        cursor.execute(text)
        cursor.execute(f"COMMENT ON FUNCTION {PREFIX}_flush() IS 'of the declarations {checksum}'")
    return True


def remove(using: str) -> None:
    """Take the triggers off; what is written meanwhile is found by ``realtime_reconcile``."""
    with connections[using].cursor() as cursor:
        cursor.execute(functions.DROP)
