"""What an order asks of its way up the ladder."""

from fractions import Fraction

from games.league_of_legends.exceptions import BeyondTheGoal, GoalTooLow, NotForward
from games.league_of_legends.ladder import Position
from games.league_of_legends.models import LeagueOfLegendsDivisionOrder, Rank
from games.league_of_legends.pricing import payout, price
from games.league_of_legends.progress import percent_done, share_done
from games.league_of_legends.selectors import division_of
from orders.games import Extra, Game
from orders.models import BaseOrder
from orders.options import Options


class DivisionGame(Game[Position]):
    """League of Legends division orders."""

    slug = "league-of-legends"
    name = "League of Legends"

    def share_done(self, order: BaseOrder) -> Fraction:
        division = division_of(order)
        return share_done(division.current, division.reached, division.desired)

    def reach(self, order: BaseOrder, place: Position) -> str:
        division = division_of(order)
        if place.band <= division.reached.band:
            raise NotForward(f"Progress only goes up: {division.reached} is reached. Report a place above it.")
        if place.band > division.desired.band:
            raise BeyondTheGoal(f"The goal is {division.desired}. Report it, and finish the order.")
        place_set(division, "reached", place)
        progress_save(division)
        return f"Reached {place}."

    def raise_goal(self, order: BaseOrder, goal: Position) -> Extra:
        division = division_of(order)
        if goal.band <= division.desired.band:
            raise GoalTooLow(f"The goal is {division.desired} already. Choose a higher one.")
        extra = price(division.desired, goal, Options(duo=order.duo, streaming=order.streaming, turbo=order.turbo))
        place_set(division, "desired", goal)
        progress_save(division)
        return Extra(actual_price=extra, booster_price=payout(extra), title=title_of(division.current, goal))

    def restart(self, order: BaseOrder) -> str:
        division = division_of(order)
        place_set(division, "current", division.reached)
        progress_save(division)
        return title_of(division.current, division.desired)


def title_of(current: Position, desired: Position) -> str:
    """Return what an order is called."""
    return f"{current.name} to {desired.name}"


def place_set(division: LeagueOfLegendsDivisionOrder, which: str, place: Position) -> None:
    """Put ``place`` into the three columns of current, reached or desired; does not save."""
    setattr(division, f"{which}_rank", Rank.objects.get(name=place.rank))
    setattr(division, f"{which}_division", place.division)
    setattr(division, f"{which}_marks", place.marks)


def progress_save(division: LeagueOfLegendsDivisionOrder) -> None:
    """Save ``division`` with the progress that its places make."""
    division.progress_percent = percent_done(division.current, division.reached, division.desired)
    division.save()
