"""Division orders for staff: to read, and to extend through the service."""

from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from games.league_of_legends.ladder import DIVISIONS, MARKS, Position
from games.league_of_legends.models import LeagueOfLegendsDivisionOrder, Rank
from games.league_of_legends.services import division_order_extend
from orders.admin import ThroughServices, who


class ExtendForm(forms.ModelForm):
    """A higher goal; it stores nothing itself."""

    goal_rank = forms.ModelChoiceField(Rank.objects.all(), required=False, help_text="Extends the order when chosen.")
    goal_division = forms.TypedChoiceField(
        choices=[("", "—"), *enumerate(DIVISIONS, start=1)], coerce=int, empty_value=None, required=False
    )
    goal_marks = forms.IntegerField(min_value=0, max_value=MARKS - 1, initial=0, required=False)
    idempotency_key = forms.CharField(widget=forms.HiddenInput, initial=lambda: str(uuid4()))

    class Meta:
        model = LeagueOfLegendsDivisionOrder
        fields: tuple[str, ...] = ()


@admin.register(LeagueOfLegendsDivisionOrder)
class DivisionOrderAdmin(ThroughServices):
    """Shows everything; extends."""

    form = ExtendForm
    list_display = ("order", "current", "reached", "desired", "progress_percent")
    list_select_related = ("order", "current_rank", "reached_rank", "desired_rank")
    search_fields = ("=order__id",)
    readonly_fields = tuple(field.name for field in LeagueOfLegendsDivisionOrder._meta.fields)
    fieldsets = (
        ("Extend", {"fields": ("goal_rank", "goal_division", "goal_marks", "idempotency_key")}),
        ("The order", {"fields": readonly_fields}),
    )

    def save_model(self, request: HttpRequest, obj: LeagueOfLegendsDivisionOrder, form: Any, change: bool) -> None:
        """Hand the goal to the service; the row itself is not saved here."""
        words = form.cleaned_data
        if words["goal_rank"]:
            division_order_extend(
                order_id=obj.order_id,
                desired=Position(words["goal_rank"].name, words["goal_division"], words["goal_marks"] or 0),
                by=who(request),
                idempotency_key=words["idempotency_key"],
            )


@admin.register(Rank)
class RankAdmin(admin.ModelAdmin):
    """The ladder, to read: its rows come from ``ladder.py``."""

    list_display = ("name", "position", "divided")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
