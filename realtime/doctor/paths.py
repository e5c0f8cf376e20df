"""The ways to write a row, each as the database gets it: by the ORM, by SQL and by COPY.

Methods that a model overrides are passed over for Django's own: an overridden ``save`` may refuse, or write to others.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connections, models
from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save


@dataclass(frozen=True, slots=True)
class Subject:
    """A row, and a column of it with another ``value`` that the database takes; '' where there is no such column."""

    row: models.Model
    using: str
    column: str = ""
    value: Any = None

    @property
    def rows(self) -> "QuerySet[Any]":
        """The row, as a queryset without the model's own methods."""
        return QuerySet(type(self.row), using=self.using).filter(pk=self.row.pk)

    def with_value(self) -> models.Model:
        changed = copy.copy(self.row)
        setattr(changed, self.column, self.value)
        return changed

    def execute(self, sql: str, values: list[Any]) -> None:
        with connections[self.using].cursor() as cursor:
            cursor.execute(sql, values)

    def quote(self, name: str) -> str:
        return str(connections[self.using].ops.quote_name(name))

    @property
    def table(self) -> str:
        return self.quote(self.row._meta.db_table)

    @property
    def stored(self) -> "dict[str, models.Field[Any, Any]]":
        """The table's columns that can be written."""
        fields = self.row._meta.local_concrete_fields
        return {self.quote(str(field.column)): field for field in fields if not getattr(field, "generated", False)}

    def prepared(self) -> list[Any]:
        """Return the row's values as the driver takes them, in the order of ``stored``."""
        connection = connections[self.using]
        return [field.get_db_prep_save(getattr(self.row, field.attname), connection) for field in self.stored.values()]


def save(subject: Subject) -> None:
    models.Model.save(subject.with_value(), using=subject.using)


def update_fields(subject: Subject) -> None:
    models.Model.save(subject.with_value(), using=subject.using, update_fields=[subject.column])


def expression(subject: Subject) -> None:
    row = copy.copy(subject.row)
    field = row._meta.get_field(subject.column)
    value = Value(subject.value, output_field=field)  # type: ignore[arg-type]
    setattr(row, subject.column, Case(When(pk=row.pk, then=value), default=F(subject.column)))
    models.Model.save(row, using=subject.using, update_fields=[subject.column])


def update(subject: Subject) -> None:
    subject.rows.update(**{subject.column: subject.value})


def bulk_update(subject: Subject) -> None:
    subject.rows.bulk_update([subject.with_value()], [subject.column])


def update_or_create(subject: Subject) -> None:
    """As ``QuerySet.update_or_create`` does it, which would call the model's own ``save``."""
    row = subject.rows.select_for_update().get()
    setattr(row, subject.column, subject.value)
    models.Model.save(row, using=subject.using, update_fields=[subject.column])


def sql_update(subject: Subject) -> None:
    field: Any = subject.row._meta.get_field(subject.column)
    pk: Any = subject.row._meta.pk
    connection = connections[subject.using]
    subject.execute(
        f"UPDATE {subject.table} SET {subject.quote(field.column)} = %s WHERE {subject.quote(pk.column)} = %s",
        [field.get_db_prep_save(subject.value, connection), pk.get_db_prep_save(subject.row.pk, connection)],
    )


def delete(subject: Subject) -> None:
    """With what hangs on it: cascades are Django's."""
    subject.rows.delete()


def sql_delete(subject: Subject) -> None:
    pk: Any = subject.row._meta.pk
    subject.execute(
        f"DELETE FROM {subject.table} WHERE {subject.quote(pk.column)} = %s",
        [pk.get_db_prep_save(subject.row.pk, connections[subject.using])],
    )


def create(subject: Subject) -> None:
    models.Model.save(copy.copy(subject.row), using=subject.using, force_insert=True)


def bulk_create(subject: Subject) -> None:
    subject.rows.bulk_create([copy.copy(subject.row)])


def sql_insert(subject: Subject) -> None:
    places = ", ".join(["%s"] * len(subject.stored))
    subject.execute(f"INSERT INTO {subject.table} ({', '.join(subject.stored)}) VALUES ({places})", subject.prepared())


def copy_from(subject: Subject) -> None:
    with connections[subject.using].cursor() as cursor:
        statement = f"COPY {subject.table} ({', '.join(subject.stored)}) FROM STDIN"
        with cursor.copy(statement) as stream:
            stream.write_row(subject.prepared())


Path = Callable[[Subject], None]
UPDATES: dict[str, Path] = {
    "save": save,
    "update_fields": update_fields,
    "F()": expression,
    "update()": update,
    "bulk_update": bulk_update,
    "update_or_create": update_or_create,
    "SQL UPDATE": sql_update,
}
DELETES: dict[str, Path] = {"delete and cascade": delete, "SQL DELETE": sql_delete}
INSERTS: dict[str, Path] = {
    "create": create,
    "bulk_create": bulk_create,
    "SQL INSERT": sql_insert,
    "COPY": copy_from,
}
"""Each after the row was deleted: what comes is the row itself, with its key."""

_SIGNALS = (pre_save, post_save, pre_delete, post_delete, m2m_changed)


@contextmanager
def quiet() -> Iterator[None]:
    """Call no receiver of a model's signals in this process: they may mail, or delete files.

    Django has no way to say so; factory_boy's ``mute_signals`` does the same.
    """
    kept = [(signal, signal.receivers) for signal in _SIGNALS]
    for signal in _SIGNALS:
        signal.receivers = []
        signal.sender_receivers_cache.clear()
    try:
        yield
    finally:
        for signal, receivers in kept:
            signal.receivers = receivers
            signal.sender_receivers_cache.clear()
