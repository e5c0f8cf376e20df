"""Division orders on the pages: the forms for places, and the way as stops between start and goal."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms

from accounts.models import User
from games.league_of_legends.division import DivisionGame
from games.league_of_legends.exceptions import BadPosition
from games.league_of_legends.ladder import BANDS, DIVISIONS, MARKS, RANKS, Position, position_at
from games.league_of_legends.pricing import price
from games.league_of_legends.progress import percent_done
from games.league_of_legends.selectors import division_of
from games.league_of_legends.services import division_order_create
from orders.models import BaseOrder
from orders.options import Options

Choices = list[tuple[str, list[tuple[str, str]]]]
LABEL_ROOM = 14  # percent of the way between two labels, so that they do not touch on a phone


@dataclass(frozen=True, slots=True)
class DivisionStop:
    """A rank that begins on the way; without a label where there is no room for one."""

    percent: int
    label: str


@dataclass(frozen=True, slots=True)
class DivisionWay:
    """The way of an order, in words and in percent of its price."""

    start: str
    reached: str
    goal: str
    percent: int
    stops: Sequence[DivisionStop]
    steps: Sequence[str] = DIVISIONS


def place_value(place: Position) -> str:
    """Return how a form writes a place without its marks.

    >>> place_value(Position("Gold", 3)), place_value(Position("Master", None))
    ('Gold-3', 'Master')
    """
    return f"{place.rank}-{place.division}" if place.division else place.rank


class PlaceField(forms.Field):
    """A rank and its division. Which places are possible is for the services to say, in their words."""

    widget = forms.Select
    default_error_messages = {"required": "Choose a place."}

    def clean(self, value: Any) -> Position:
        rank, _, division = str(super().clean(value)).partition("-")
        try:
            return Position(rank, int(division) if division.isascii() and division.isdecimal() else None)
        except BadPosition as refusal:
            raise forms.ValidationError(str(refusal)) from None


class MarksField(forms.IntegerField):
    """Bands of league points inside a division."""

    def __init__(self) -> None:
        choices = [(marks, f"{marks} marks" if marks != 1 else "1 mark") for marks in range(MARKS)]
        super().__init__(label="Marks", min_value=0, max_value=MARKS - 1, widget=forms.Select(choices=choices))


class WayForm(forms.Form):
    """From where to where."""

    current = PlaceField(label="Your rank now")
    marks = MarksField()
    desired = PlaceField(label="Your goal")

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, initial={"current": "Silver-1", "marks": 0, "desired": "Gold-1"})
        self.fields["current"].widget.choices = _choices(0, BANDS - MARKS - 1)
        self.fields["desired"].widget.choices = _choices(MARKS, BANDS - 1)

    def start(self) -> Position:
        current = self.cleaned_data["current"]
        return Position(current.rank, current.division, self.cleaned_data["marks"])

    def goal(self) -> Position:
        return self.cleaned_data["desired"]


class ReachedForm(forms.Form):
    """Where the account stands now; proposes one mark more than before.

    Marks beyond the goal inside its own division are the goal: the order ends there, and nobody should have to set
    them back to 0 to say so.
    """

    reached = PlaceField(label="Reached")
    marks = MarksField()

    def __init__(self, data: Any, *, reached: Position, goal: Position) -> None:
        self.goal = goal
        following = position_at(min(reached.band + 1, goal.band))
        super().__init__(data, initial={"reached": place_value(following), "marks": following.marks})
        self.fields["reached"].widget.choices = _choices(following.band, goal.band)

    def place(self) -> Position:
        reached = self.cleaned_data["reached"]
        if (reached.rank, reached.division) == (self.goal.rank, self.goal.division):
            return Position(reached.rank, reached.division, min(self.cleaned_data["marks"], self.goal.marks))
        return Position(reached.rank, reached.division, self.cleaned_data["marks"])


class GoalForm(forms.Form):
    """A higher goal, each with what it costs more."""

    goal = PlaceField(label="New goal")

    def __init__(self, data: Any, *, goal: Position, options: Options) -> None:
        super().__init__(data)
        choices = _choices(goal.band + MARKS, BANDS - 1, extra=lambda place: price(goal, place, options))
        self.fields["goal"].widget.choices = choices

    def place(self) -> Position:
        return self.cleaned_data["goal"]


class DivisionPage:
    """League of Legends division orders on the pages."""

    slug = DivisionGame.slug
    name = DivisionGame.name

    def way(self, order: BaseOrder) -> DivisionWay:
        division = division_of(order)
        start, goal = division.current, division.desired
        return DivisionWay(
            start=str(start),
            reached=str(division.reached),
            goal=str(goal),
            percent=division.progress_percent,
            stops=_stops(start, goal),
        )

    def way_form(self, data: Any = None) -> WayForm:
        return WayForm(data)

    def price(self, way: WayForm, options: Options) -> Decimal:
        return price(way.start(), way.goal(), options)

    def create(
        self, way: WayForm, *, client: User, options: Options, note: str, booster: User | None, idempotency_key: str
    ) -> BaseOrder:
        return division_order_create(
            client=client,
            current=way.start(),
            desired=way.goal(),
            options=options,
            note=note,
            booster=booster,
            idempotency_key=idempotency_key,
        ).order

    def place(self, rank: str, division: int | None, marks: int | None) -> str:
        return str(Position(rank, division, marks or 0))

    def reached_form(self, order: BaseOrder, data: Any = None) -> ReachedForm:
        division = division_of(order)
        return ReachedForm(data, reached=division.reached, goal=division.desired)

    def goal_form(self, order: BaseOrder, data: Any = None) -> GoalForm:
        options = Options(duo=order.duo, streaming=order.streaming, turbo=order.turbo)
        return GoalForm(data, goal=division_of(order).desired, options=options)


def _choices(low: int, high: int, extra: Any = None) -> Choices:
    """Return the places from the one that holds band ``low`` to that of ``high``, under their ranks."""
    found: dict[str, list[tuple[str, str]]] = {}
    for band in range(low - low % MARKS, high + 1, MARKS):
        place = position_at(band)
        words = f"{place.name} (+ {extra(place)})" if extra else place.name  # nosec B610 - no QuerySet
        found.setdefault(place.rank, []).append((place_value(place), words))
    return list(found.items())


def _stops(start: Position, goal: Position) -> list[DivisionStop]:
    """Return the ranks that begin between ``start`` and ``goal``.

    >>> _stops(Position("Gold", 2), Position("Emerald", 1))
    [DivisionStop(percent=34, label='Platinum')]
    """
    begins = [Position(rank, 1) if rank in RANKS[:7] else Position(rank, None) for rank in RANKS]
    stops: list[DivisionStop] = []
    room_from = LABEL_ROOM
    for place in begins:
        if start.band < place.band < goal.band:
            percent = percent_done(start, place, goal)
            fits = room_from <= percent <= 100 - LABEL_ROOM
            stops.append(DivisionStop(percent, place.rank if fits else ""))
            room_from = percent + LABEL_ROOM if fits else room_from
    return stops


page = DivisionPage()
