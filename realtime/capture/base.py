"""What both captures share: how a declared path leads to a column, and how its value stands in JSON."""

import datetime
import uuid
from decimal import Decimal
from typing import Any

from django.db import connections, models
from django.db.models import OuterRef

from .. import conf
from ..exceptions import DeclarationError
from ..feeds import Part


def by_triggers(using: str) -> bool:
    """Whether the database itself captures: PostgreSQL does, unless ``REALTIME["CAPTURE"]`` says ``orm``."""
    return conf.current().capture == "auto" and connections[using].vendor == "postgresql"


def plain(value: Any) -> Any:
    """Return a stored value as JSON has it: decimals as strings, times in UTC with ``Z``.

    >>> plain(Decimal("85.50")), plain(datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC))
    ('85.50', '2026-01-02T03:04:05.000Z')
    """
    match value:
        case None | bool() | int() | str() | float():
            return value
        case Decimal():
            return f"{value:f}"
        case datetime.datetime():
            return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case datetime.date():
            return value.isoformat()
        case datetime.time():
            return value.isoformat(timespec="microseconds")
        case uuid.UUID():
            return str(value)
        case dict() | list():
            return value
    raise DeclarationError(f"a declared field holds a {type(value).__name__}, which has no place in JSON")


def newest_of(part: type[Part]) -> "models.QuerySet[models.Model]":
    """Return the part's rows that count for a row of the feed's model, newest first, as a subquery."""
    rows = part.model._base_manager.filter(**{part.owner: OuterRef("pk")}, **part.where)
    return rows.order_by(f"-{part.newest}")


def way_to(part: type[Part]) -> str:
    """Return the name that leads from the feed's model to the part's only row."""
    owner = part.model._meta.get_field(part.owner)
    assert isinstance(owner, models.ForeignKey)  # realtime.E005 says so in words
    return owner.related_query_name()
