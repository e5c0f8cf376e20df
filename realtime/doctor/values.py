"""Another value for a column: such as the database might take, to see whether its change is noticed."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import models


def others(field: "models.Field[Any, Any]", value: Any) -> Iterator[Any]:
    """Yield values of ``field`` that are not ``value``; none for keys, and for kinds that we know no other value of.

    >>> list(others(models.IntegerField(), 3)), list(others(models.CharField(max_length=2), "ab"))
    ([4, 2], ['ax'])
    """
    if field.primary_key or isinstance(field, models.ForeignKey):
        return
    yield from (choice for choice, _ in field.flatchoices if choice != value)
    match field:
        case models.BooleanField():
            yield not value
        case models.IntegerField():
            yield from ((value or 0) + 1, (value or 0) - 1)
        case models.DecimalField():
            step = Decimal(1).scaleb(-(field.decimal_places or 0))
            yield from ((value or Decimal(0)) + step, (value or Decimal(0)) - step)
        case models.FloatField():
            yield (value or 0.0) + 1.0
        case models.DateTimeField() | models.DateField() if value is not None:
            yield from (value + timedelta(days=1), value - timedelta(days=1))
        case models.CharField() | models.TextField():
            text = value or ""
            yield text[:-1] + ("y" if text.endswith("x") else "x")
