"""What somebody is at this moment: the object of a request was read before it waited for anything."""

from django.core.exceptions import ObjectDoesNotExist

from accounts.models import User


def standing_lock(user: User) -> User:
    """Read anew whether ``user`` is active, and his role; hold both to the end of the transaction. One statement.

    Who disables him or gives him another role meanwhile waits, or is seen here. The lock comes after that of an
    order, and a booster's after that of whoever chose him. The steps of one person follow one another.
    """
    try:
        rows = User.objects.select_for_update(no_key=True)
        user.refresh_from_db(fields=["is_active", "role"], from_queryset=rows)
    except ObjectDoesNotExist:
        user.is_active = False
    return user
