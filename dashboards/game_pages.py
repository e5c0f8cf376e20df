"""What a page asks of a game: its forms, and the picture of its way.

A game brings a module ``pages`` with an object ``page``; nothing here names a game.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from django import forms
from django.apps import apps
from django.utils.module_loading import module_has_submodule

from accounts.models import User
from orders.models import BaseOrder
from orders.options import Options


class Stop(Protocol):
    """A mark on the way, ``percent`` of its price from the start; ``label`` may be empty."""

    percent: int
    label: str


class Way(Protocol):
    """From where, how far, up to where; ``steps`` names the divisions 1, 2, … for the browser."""

    start: str
    reached: str
    goal: str
    percent: int
    stops: Sequence[Stop]
    steps: Sequence[str]


class PlaceForm(Protocol):
    """A bound or unbound Django form; ``place`` is for a valid one."""

    def is_valid(self) -> bool: ...
    def place(self) -> Any: ...


class GamePage(Protocol):
    """One game on the pages. Whatever is refused raises an ``OrderError``."""

    slug: str
    name: str

    def way(self, order: BaseOrder) -> Way: ...
    def way_form(self, data: Any = None) -> forms.Form: ...
    def price(self, way: forms.Form, options: Options) -> Decimal: ...
    def create(
        self, way: forms.Form, *, client: User, options: Options, note: str, booster: User | None, idempotency_key: str
    ) -> BaseOrder: ...
    def place(self, rank: str, division: int | None, marks: int | None) -> str: ...
    def reached_form(self, order: BaseOrder, data: Any = None) -> forms.Form: ...
    def goal_form(self, order: BaseOrder, data: Any = None) -> forms.Form: ...


@cache
def game_pages() -> dict[str, GamePage]:
    """Return the page of every installed game, by its slug."""
    found = [
        import_module(f"{app.name}.pages").page
        for app in apps.get_app_configs()
        if app.module is not None and app.name.startswith("games.") and module_has_submodule(app.module, "pages")
    ]
    return {page.slug: page for page in found}


def game_page(slug: str) -> GamePage | None:
    """Return the page of the game ``slug``; ``None`` where the game has none."""
    return game_pages().get(slug)


@dataclass(frozen=True, slots=True)
class GameChoice:
    """A game to order a boost in."""

    slug: str
    name: str


def game_choices() -> list[GameChoice]:
    return [GameChoice(page.slug, page.name) for page in game_pages().values()]
