"""A way up the ladder that was bought."""

from django.db import models
from django.db.models import Q

from games.league_of_legends.ladder import DIVISIONS, MARKS, Position
from orders.models import BaseOrder


class Rank(models.Model):
    """A rank, in the order of the ladder."""

    name = models.CharField(max_length=20, unique=True)
    position = models.PositiveSmallIntegerField(unique=True)
    divided = models.BooleanField()

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return self.name


def rank_field() -> models.ForeignKey:
    return models.ForeignKey(Rank, models.PROTECT, related_name="+")


def division_field() -> models.PositiveSmallIntegerField:
    return models.PositiveSmallIntegerField(null=True, blank=True, choices=list(enumerate(DIVISIONS, start=1)))


def marks_field() -> models.PositiveSmallIntegerField:
    return models.PositiveSmallIntegerField(default=0)


def _places_exist() -> list[models.CheckConstraint]:
    return [
        models.CheckConstraint(
            condition=(
                Q(**{f"{place}_division__isnull": True}) | Q(**{f"{place}_division__range": (1, len(DIVISIONS))})
            )
            & Q(**{f"{place}_marks__range": (0, MARKS - 1)}),
            name=f"division_order_{place}_exists",
        )
        for place in ("current", "reached", "desired")
    ]


class LeagueOfLegendsDivisionOrder(models.Model):
    """From the current place to the desired one; reached is where the account stands now.

    Divisions are 1 (IV) to 4 (I), null from Master on; marks are bands of league points, 0 to 5.
    """

    order = models.OneToOneField(BaseOrder, models.PROTECT, related_name="division_order")
    current_rank = rank_field()
    current_division = division_field()
    current_marks = marks_field()
    reached_rank = rank_field()
    reached_division = division_field()
    reached_marks = marks_field()
    desired_rank = rank_field()
    desired_division = division_field()
    desired_marks = marks_field()
    progress_percent = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = "division order"
        constraints = [
            models.CheckConstraint(
                condition=Q(progress_percent__range=(0, 100)), name="division_order_progress_percent"
            ),
            *_places_exist(),
        ]

    def __str__(self) -> str:
        return f"{self.current} to {self.desired}"

    @property
    def current(self) -> Position:
        return Position(self.current_rank.name, self.current_division, self.current_marks)

    @property
    def reached(self) -> Position:
        return Position(self.reached_rank.name, self.reached_division, self.reached_marks)

    @property
    def desired(self) -> Position:
        return Position(self.desired_rank.name, self.desired_division, self.desired_marks)
