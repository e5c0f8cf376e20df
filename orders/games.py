"""What an order asks of its game."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, Generic, TypeVar

from orders.exceptions import UnknownGame
from orders.models import BaseOrder

Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class Extra:
    """What a higher goal adds to both prices, and what the order is called with it."""

    actual_price: Decimal
    booster_price: Decimal
    title: str


class Game(ABC, Generic[Place]):
    """One game's rows of an order. Every method runs in the order's transaction, the order row locked.

    ``Place`` is where a player can stand in this game; a refusal is an ``OrderError``.
    """

    slug: ClassVar[str]
    name: ClassVar[str]

    @abstractmethod
    def share_done(self, order: BaseOrder) -> Fraction:
        """Return the priced share of the way that is done, 0 to 1."""

    @abstractmethod
    def reach(self, order: BaseOrder, place: Place) -> str:
        """Store that ``place`` was reached; return a sentence that every viewer may read."""

    @abstractmethod
    def raise_goal(self, order: BaseOrder, goal: Place) -> Extra:
        """Store the higher ``goal``; return what it adds."""

    @abstractmethod
    def restart(self, order: BaseOrder) -> str:
        """Start the way again from where it has got to; return what the order is called now."""


_games: dict[str, Game[Any]] = {}


def register_game(game: Game[Any]) -> None:
    """Make ``game`` known; its app does so when it is ready."""
    _games[game.slug] = game


def game_of(order: BaseOrder) -> Game[Any]:
    """Return the game of ``order``."""
    try:
        return _games[order.game]
    except KeyError:
        raise UnknownGame(f"No installed game is called {order.game}: add its app to INSTALLED_APPS.") from None
