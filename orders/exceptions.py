"""Refusals. Each text names the rule and says what to do; it is safe to show to whoever asked."""


class OrderError(Exception):
    """An order did not change, because a rule says so."""


class OrderNotFound(OrderError):
    """Missing and forbidden look the same."""

    def __init__(self, order_id: object) -> None:
        super().__init__(f"There is no order {str(order_id)[:24]} for you. Open your list of orders and choose one.")


class OrderTaken(OrderError):
    """Taken, withdrawn and missing look the same to a booster who wants the order."""

    def __init__(self, order_id: object) -> None:
        super().__init__(f"Order {str(order_id)[:24]} is not available any more. Choose another one from the list.")


class NotAllowed(OrderError):
    """Somebody who sees the order may not do this to it."""


class WrongStatus(OrderError):
    """The order is not in a status from which this is possible."""


class NotAtTheGoal(OrderError):
    """A booster finishes at 100 %."""


class AtTheGoal(OrderError):
    """At 100 % nothing is left for another booster."""


class AlreadyDisputed(OrderError):
    """An order has one open dispute at a time."""


class NotDisputed(OrderError):
    """There is no open dispute to resolve: there was none, or somebody was quicker."""


class NothingHeld(OrderError):
    """Without a payout that was held there is nothing to refund."""


class PayoutTooHigh(OrderError):
    """With a refund boosters would get more than the client pays."""


class WrongRole(OrderError):
    """The person named does not have the role that is needed."""


class BadAmount(OrderError):
    """Not an amount of money, or one that the books do not allow."""


class BadText(OrderError):
    """Words that are missing, too long, or no text."""


class PriceMoved(OrderError):
    """The prices are not those that whoever decides has seen."""


class KeyMissing(OrderError):
    """A post that moves money carries an idempotency key."""


class KeyReused(OrderError):
    """An idempotency key stands for one request, not for two."""


class UnknownGame(OrderError):
    """No installed game has this name."""
