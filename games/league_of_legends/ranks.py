"""The rows of ``Rank``."""

from typing import Any

from django.apps import apps as installed

from games.league_of_legends.ladder import DIVIDED, RANKS


def ranks_fill(*, apps: Any = installed, using: str = "default", **_: Any) -> None:
    """Make the rank rows that are missing.

    Runs after every ``migrate`` and ``flush``, as Django does for permissions: a data migration would run once, and
    a flushed database would have no ranks.
    """
    try:
        rank = apps.get_model("leagueOfLegends", "Rank")
    except LookupError:  # migrated back to before there were any
        return
    rows = [rank(name=name, position=place, divided=name in DIVIDED) for place, name in enumerate(RANKS)]
    rank.objects.using(using).bulk_create(rows, ignore_conflicts=True)
