"""Orders for staff. Every change goes through a service, with the name of who asked."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from accounts.models import Role, User
from orders.exceptions import OrderError
from orders.models import BaseOrder, Decision, Dispute
from orders.money import prices_seen
from orders.services import (
    order_assign,
    order_drop,
    order_finish,
    order_pause,
    order_reprice,
    order_resume,
    orders_release,
)


class DecisionForm(forms.ModelForm):
    """What staff decides about one order; it stores nothing itself."""

    decision = forms.ChoiceField(
        choices=[("", "—"), ("assign", "assign a booster"), ("reprice", "change both prices"), ("drop", "drop")],
        required=False,
    )
    new_booster = forms.ModelChoiceField(
        User.objects.filter(role=Role.BOOSTER, is_active=True).order_by("username"), required=False
    )
    new_actual_price = forms.DecimalField(max_digits=10, decimal_places=2, min_value=0, required=False)
    new_booster_price = forms.DecimalField(max_digits=10, decimal_places=2, min_value=0, required=False)
    reason = forms.CharField(max_length=500, required=False, help_text="Needed to change prices and to drop.")
    seen_actual_price = forms.DecimalField(widget=forms.HiddenInput, required=False, label="")
    seen_booster_price = forms.DecimalField(widget=forms.HiddenInput, required=False, label="")
    idempotency_key = forms.CharField(
        widget=forms.HiddenInput, initial=lambda: str(uuid4()), required=False, label="", strip=False
    )

    ASKS = (
        "decision",
        "new_booster",
        "new_actual_price",
        "new_booster_price",
        "reason",
        "seen_actual_price",
        "seen_booster_price",
        "idempotency_key",
    )
    NEEDS = {
        "assign": ("new_booster",),
        "reprice": ("new_actual_price", "new_booster_price", "reason"),
        "drop": ("reason",),
    }

    class Meta:
        model = BaseOrder
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in ("actual_price", "booster_price"):
            self.initial[f"seen_{name}"] = getattr(self.instance, name)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in self.NEEDS.get(cleaned.get("decision", ""), ()):
            if name not in self.errors and cleaned.get(name) in (None, ""):
                self.add_error(name, "This decision needs it.")
        return cleaned


class DecisionInline(admin.TabularInline):
    """Why staff changed the order."""

    model = Decision
    extra = 0
    can_delete = False
    readonly_fields = ("verb", "by", "reason", "at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Decision]:
        return super().get_queryset(request).select_related("by")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DisputeInline(admin.TabularInline):
    """What somebody disputed, and how it was decided: on the order's page, not here."""

    model = Dispute
    extra = 0
    can_delete = False
    readonly_fields = ("by", "reason", "opened_at", "outcome", "resolved_by", "resolved_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dispute]:
        return super().get_queryset(request).select_related("by", "resolved_by")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def who(request: HttpRequest) -> User:
    """Return the account that asks; the admin site let it in."""
    assert isinstance(request.user, User)
    return request.user


def asked(request: HttpRequest, service: Callable[..., Any], **arguments: Any) -> bool:
    """Call ``service`` and say whether it was done; a refusal is shown to who asked."""
    try:
        service(**arguments, by=who(request))
    except OrderError as refusal:
        messages.error(request, str(refusal))
        return False
    return True


def step_action(name: str, label: str, service: Callable[..., Any]) -> Any:
    """Return an action that asks ``service`` for each selected order."""

    @admin.action(description=label, permissions=["change"])
    def action(_: Any, request: HttpRequest, rows: QuerySet[BaseOrder]) -> None:
        for order_id in rows.order_by("pk").values_list("pk", flat=True):
            if asked(request, service, order_id=order_id):
                messages.success(request, f"Order {order_id}: done.")

    action.__name__ = name
    return action


@admin.action(description="Take away from the booster (all or none)", permissions=["change"])
def release(_: Any, request: HttpRequest, rows: QuerySet[BaseOrder]) -> None:
    """Take all selected orders from their boosters, in one transaction."""
    order_ids = list(rows.values_list("pk", flat=True))
    if asked(request, orders_release, order_ids=order_ids):
        messages.success(request, f"{len(order_ids)} orders are available again.")


class ThroughServices(admin.ModelAdmin):
    """A page whose ``save_model`` calls services: a refusal is shown, and nothing is logged as changed."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **options)
        except OrderError as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(request.path)


@admin.register(BaseOrder)
class BaseOrderAdmin(ThroughServices):
    """Shows everything, changes nothing but by a decision or an action."""

    form = DecisionForm
    list_display = ("id", "title", "status", "client", "booster", "actual_price", "booster_price", "created_at")
    list_filter = ("status", "disputed", "game")
    list_select_related = ("client", "booster")
    search_fields = ("=id", "title", "client__username", "booster__username")
    readonly_fields = tuple(field.name for field in BaseOrder._meta.fields)
    fieldsets = (
        ("Decide", {"fields": DecisionForm.ASKS}),
        ("The order", {"fields": readonly_fields}),
    )
    inlines = (DecisionInline, DisputeInline)
    actions = (
        step_action("pause", "Pause", order_pause),
        step_action("resume", "Resume", order_resume),
        release,
        step_action("finish", "Finish", order_finish),
    )

    def save_model(self, request: HttpRequest, obj: BaseOrder, form: Any, change: bool) -> None:
        """Hand the decision to its service; the row itself is not saved here."""
        words, by = form.cleaned_data, who(request)
        match words["decision"]:
            case "assign":
                order_assign(order_id=obj.pk, booster=words["new_booster"], by=by)
            case "reprice":
                order_reprice(
                    order_id=obj.pk,
                    actual_price=words["new_actual_price"],
                    booster_price=words["new_booster_price"],
                    seen=prices_seen(words["seen_actual_price"], words["seen_booster_price"]),
                    reason=words["reason"],
                    by=by,
                    idempotency_key=words["idempotency_key"],
                )
            case "drop":
                order_drop(order_id=obj.pk, by=by, reason=words["reason"], idempotency_key=words["idempotency_key"])
