from django.apps import AppConfig
from django.db.models.signals import post_migrate


class LeagueOfLegendsConfig(AppConfig):
    name = "games.league_of_legends"
    label = "leagueOfLegends"
    verbose_name = "League of Legends"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from games.league_of_legends import feeds  # noqa: F401
        from games.league_of_legends.division import DivisionGame
        from games.league_of_legends.ranks import ranks_fill
        from orders.games import register_game

        register_game(DivisionGame())
        post_migrate.connect(ranks_fill, sender=self, dispatch_uid="leagueOfLegends.ranks")
