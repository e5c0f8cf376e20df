"""Money that became due. Sent with ``send`` inside the transaction: a receiver that fails rolls all back.

The order row is locked, and still has the prices from before the settlement. Every signal has ``order`` and
``amount`` (> 0); ``payout_due`` has ``booster`` too, because the order may lose him in the same step.
``settlement`` is the number of the settlement that the money belongs to: that of a payout that was held is older
than ``order.settlement``.
"""

from django.dispatch import Signal

payment_due = Signal()
payout_due = Signal()
refund_due = Signal()
