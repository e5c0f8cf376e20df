"""Reading the ledger."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from accounts.models import STAFF_ROLES, User
from orders.models import BaseOrder
from orders.selectors import Visitor
from wallet.models import Kind, Transaction


@dataclass(frozen=True, slots=True)
class Books:
    """Sums of ledger rows."""

    payments: Decimal
    payouts: Decimal
    refunds: Decimal

    @property
    def held(self) -> Decimal:
        """What the house holds."""
        return self.payments - self.payouts - self.refunds


def order_books(order: BaseOrder) -> Books:
    """Return the sums of one order."""
    return _books(Transaction.objects.filter(order=order))


def user_books(user: User) -> Books:
    """Return the sums of one user: what he paid, earned and got back."""
    return _books(Transaction.objects.filter(user=user))


def transactions_of(user: Visitor) -> QuerySet[Transaction]:
    """Return the user's own rows, all for staff, newest first."""
    rows = Transaction.objects.select_related("order", "user").order_by("-id")
    if not isinstance(user, User) or not user.is_active:
        return rows.none()
    return rows if user.role in STAFF_ROLES else rows.filter(user=user)


def transactions_of_order(user: Visitor, order: BaseOrder) -> QuerySet[Transaction]:
    """Return the rows of ``order`` that ``user`` may see: his own, all for staff."""
    return transactions_of(user).filter(order=order)


def _books(rows: QuerySet[Transaction]) -> Books:
    zero = Decimal("0.00")
    return Books(
        **rows.aggregate(
            payments=Coalesce(Sum("amount", filter=Q(kind=Kind.PAYMENT)), zero),
            payouts=Coalesce(Sum("amount", filter=Q(kind=Kind.PAYOUT)), zero),
            refunds=Coalesce(Sum("amount", filter=Q(kind=Kind.REFUND)), zero),
        )
    )
