"""Boosters who play, through the services."""

import random
import signal
import threading
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, connection
from django.db.models import Q, QuerySet

from accounts.models import User
from dashboards.management.commands.demo_data import BOOSTERS, CLIENTS, People, people_make
from games.league_of_legends.ladder import Position, position_at
from games.league_of_legends.models import LeagueOfLegendsDivisionOrder
from games.league_of_legends.selectors import divisions_all
from games.league_of_legends.services import division_order_create, division_order_report
from orders.exceptions import OrderError
from orders.models import BaseOrder, Post, Status
from orders.options import Options
from orders.selectors import orders_available
from orders.services import order_claim, order_finish, order_pause, order_resume

PLAYED = (Status.CONTINUE, Status.EXTEND, Status.PAUSED)
OPEN_AT_ONCE = 8  # orders of the other clients, played or waiting
HANDS_OFF = 40  # steps, about a minute: how long an order is left to somebody who has changed it
OWN = Q(key__startswith="demo.") | Q(key__startswith="simulate.")  # what a person has ordered is his to play


def state_of(division: LeagueOfLegendsDivisionOrder) -> object:
    """Return what a change by a person changes."""
    order = division.order
    return order.status, order.booster_id, order.message, order.note, order.actual_price, division.reached


class Simulation:
    """Makes one change a step: every second one to the order between ``client`` and ``booster``.

    It gives way to people: it plays no order that one of them has placed, and leaves an order alone for a while when
    one of them has changed it.
    """

    def __init__(self, *, people: People, limit: int, dice: random.Random) -> None:
        self.people = people
        self.limit = limit
        self.dice = dice
        self.steps = 0
        self.client, self.booster = people["client"], people["booster"]
        self.clients = [people[name] for name in CLIENTS if name != "client"]
        self.boosters = [people[name] for name in BOOSTERS if name != "booster"]
        self.left: dict[int, object] = {}  # how our last step left each order
        self.touched: dict[int, int] = {}  # the step at which each was found otherwise

    def step(self) -> str:
        """Make one change and return what it was; a refusal is an answer like any other."""
        self.steps += 1
        try:
            return self.demo_moves() if self.steps % 2 else self.others_move()
        except OrderError as refusal:
            return f"refused: {refusal}"

    def demo_moves(self) -> str:
        mine = self.divisions().filter(order__client=self.client, order__booster=self.booster)
        division = mine.filter(order__status__in=PLAYED).first()
        if division:
            return self.others_move() if self.is_in_use(division) else self.play(division, keep=self.full())
        chosen = mine.filter(order__status=Status.NEW).first()
        if chosen is None and not self.full():
            chosen = self.order_made(self.client, Position("Iron", 1), Position("Diamond", 4), self.booster)
        return self.claim(chosen.order_id, self.booster) if chosen else "nothing: the limit of orders is reached"

    def others_move(self) -> str:
        waiting = orders_available().filter(pk__in=self.own()).exclude(client=self.client)
        played = self.divisions().filter(order__status__in=PLAYED, order__booster__in=self.boosters)
        free = [name for name in self.boosters if not played.filter(order__booster=name).exists()]
        if free and waiting.exists() and self.dice.random() < 0.3:
            return self.claim(waiting.reverse()[0].pk, self.dice.choice(free))
        if waiting.count() + played.count() < OPEN_AT_ONCE and not self.full() and self.dice.random() < 0.1:
            start = self.dice.randrange(0, 120)
            goal = start + self.dice.randrange(12, 48)
            made = self.order_made(self.dice.choice(self.clients), position_at(start), position_at(goal))
            return f"order {made.order_id} placed"
        free_to_play = [division for division in played if not self.is_in_use(division)]
        return self.play(self.dice.choice(free_to_play)) if free_to_play else "nothing to play"

    def own(self) -> QuerySet[Post, int]:
        """Return the orders that are its to play; a disputed one waits for a manager."""
        return Post.objects.filter(OWN, order__disputed=False).values_list("order", flat=True)

    def divisions(self) -> QuerySet[LeagueOfLegendsDivisionOrder]:
        return divisions_all().filter(order__in=self.own())

    def is_in_use(self, division: LeagueOfLegendsDivisionOrder) -> bool:
        """Whether somebody else has changed the order within the last ``HANDS_OFF`` steps."""
        order, now = division.order_id, state_of(division)
        if self.left.setdefault(order, now) != now:
            self.left[order], self.touched[order] = now, self.steps
        return order in self.touched and self.steps < self.touched[order] + HANDS_OFF

    def play(self, division: LeagueOfLegendsDivisionOrder, *, keep: bool = False) -> str:
        told = self.move(division, keep=keep)
        self.left[division.order_id] = state_of(divisions_all().get(pk=division.pk))
        return told

    def move(self, division: LeagueOfLegendsDivisionOrder, *, keep: bool) -> str:
        """Move an order on; with ``keep`` it is not finished, because no other can follow."""
        order = division.order
        booster = order.booster
        if booster is None:
            return f"order {order.pk} has no booster"
        if order.status == Status.PAUSED:
            order_resume(order_id=order.pk, by=booster)
            return f"order {order.pk} resumed"
        at_goal = division.reached == division.desired
        if at_goal and not keep:
            order_finish(order_id=order.pk, by=booster)
            return f"order {order.pk} finished"
        if order.status == Status.CONTINUE and (at_goal or self.dice.random() < 0.05):
            order_pause(order_id=order.pk, by=booster)
            return f"order {order.pk} paused"
        reached = min(division.reached.band + self.dice.choice((1, 1, 2)), division.desired.band)
        division_order_report(order_id=order.pk, reached=position_at(reached), by=booster)
        return f"order {order.pk} reached {position_at(reached)}"

    def claim(self, order_id: int, booster: User) -> str:
        order_claim(order_id=order_id, booster=booster)
        return f"order {order_id} claimed by {booster}"

    def order_made(
        self, client: User, current: Position, desired: Position, booster: User | None = None
    ) -> LeagueOfLegendsDivisionOrder:
        return division_order_create(
            client=client,
            current=current,
            desired=desired,
            options=Options(duo=self.dice.random() < 0.3, turbo=self.dice.random() < 0.2),
            booster=booster,
            idempotency_key=f"simulate.{uuid4()}",
        )

    def full(self) -> bool:
        return BaseOrder.objects.count() >= self.limit


class Command(BaseCommand):
    help = "Let boosters play the demo orders: a change every second or two, until it is stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--orders", type=int, default=1000, help="place none when there are so many (default 1000)")
        parser.add_argument("--steps", type=int, default=None, help="end after so many changes (default: never)")
        parser.add_argument("--pace", type=float, default=1.5, help="seconds between two changes, about (default 1.5)")
        parser.add_argument("--seed", type=int, default=None, help="play the same game again")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        if threading.current_thread() is threading.main_thread():  # otherwise the server takes them
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, lambda *_: stop.set())
        dice = random.Random(options["seed"])
        simulation = Simulation(people=people_make(), limit=options["orders"], dice=dice)
        while not stop.is_set() and simulation.steps != options["steps"]:
            try:
                told = simulation.step()
            except OperationalError as error:  # the database restarts: it will be back
                connection.close()
                told = f"waiting for the database: {error}"
            if options["verbosity"] > 1:
                self.stdout.write(told)
            stop.wait(options["pace"] * dice.uniform(0.67, 1.33))
