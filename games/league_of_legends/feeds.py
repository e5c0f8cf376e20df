from games.league_of_legends.models import LeagueOfLegendsDivisionOrder
from orders.feeds import OrderFeed
from realtime.feeds import Field, Part, register


@register
class DivisionOrderPart(Part):
    """League of Legends progress, shown inside the order feed."""

    feed, model, owner = OrderFeed, LeagueOfLegendsDivisionOrder, "order"

    progress = Field("progress_percent")
    reached_rank = Field("reached_rank.name")
    reached_division = Field()
    reached_marks = Field()
