from orders.exceptions import OrderError


class LeagueOfLegendsError(OrderError):
    """Something about ranks does not fit; the order did not change."""


class BadPosition(LeagueOfLegendsError):
    """No such place on the ladder."""


class NotForward(LeagueOfLegendsError):
    """Progress goes one way."""


class BeyondTheGoal(LeagueOfLegendsError):
    """What is above the goal was not bought."""


class GoalTooLow(LeagueOfLegendsError):
    """The goal is not above where the way starts, or not above the goal before."""
