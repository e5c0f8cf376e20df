"""A person leaves the marketplace: his own words and names go from every live table, and then from the log.

What stays: orders, prices, the ledger and who did what, by the key of a row that leads to nobody.
"""

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.models import Role, User
from orders.models import OPEN, BaseOrder, Decision, Dispute
from realtime.erasure import ERASED
from vault.models import GameAccount, Reading


class StillBusy(Exception):
    """He has orders that are not over: somebody plays, or waits for his money."""


@transaction.atomic
def person_erase(user: User) -> dict[str, int]:
    """Erase ``user`` from the live rows; return how many of each kind. Done twice, there is nothing left to find.

    The versions of the log, and the names in them, are for ``realtime_erase``, afterwards.
    """
    busy = BaseOrder.objects.filter(Q(client=user) | Q(booster=user), status__in=OPEN).values_list("pk", flat=True)
    if busy:
        raise StillBusy(f"Finish or drop first: orders {', '.join(str(key) for key in sorted(busy))}.")
    names = {user.username}
    tries = [model.objects.filter(username__in=names) for model in (AccessAttempt, AccessLog, AccessFailureLog)]
    entries = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk))
    # Readings are append-only for everybody else.
    readings: QuerySet[Reading] = QuerySet(Reading).filter(reader=user, address__isnull=False)
    counts = {
        "notes": BaseOrder.objects.filter(client=user).exclude(note="").update(note=""),
        "account data": GameAccount.objects.filter(order__client=user).delete()[0],
        "addresses of readings": readings.update(address=None),
        "reasons": _unsaid(Dispute.objects.filter(by=user)) + _unsaid(Decision.objects.filter(by=user)),
        "log-in tries": sum(found.delete()[0] for found in tries),
        "entries of the admin site": entries.update(object_repr=ERASED, change_message=""),
    }
    user.groups.clear()
    user.user_permissions.clear()
    user.username = f"erased-{user.pk}"
    user.first_name = user.last_name = user.email = ""
    user.is_active = user.is_staff = user.is_superuser = False
    user.role = user.role if user.role in (Role.CLIENT, Role.BOOSTER) else Role.CLIENT
    user.last_login = None
    user.set_unusable_password()  # ends sessions and tokens
    user.save()
    return counts


def _unsaid(rows: QuerySet[Dispute] | QuerySet[Decision]) -> int:
    return rows.exclude(reason=ERASED).update(reason=ERASED)
