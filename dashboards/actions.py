"""The buttons of an order: for each verb of the transition table its form, and the service that does it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms

from accounts.models import User
from dashboards.forms import AssignForm, EmptyForm, KeyForm, NoteForm, ReasonForm, RepriceForm, ResolveForm
from dashboards.selectors import Sight
from orders import services
from orders.exceptions import UnknownGame

FormMaker = Callable[[Sight, Any], forms.Form]
Service = Callable[[int, User, Any], object]


@dataclass(frozen=True, slots=True)
class Action:
    """One verb on a page. ``hint`` says what happens then; ``tone`` is primary, plain or danger.

    ``blind``: may be tried on an order that one does not see any more; the service has the better answer.
    """

    verb: str
    label: str
    icon: str
    tone: str
    hint: str
    form: FormMaker
    act: Service
    blind: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """An action that somebody may take now, with its form: fresh, or as he sent it."""

    action: Action
    forms: list[forms.Form]

    @property
    def is_simple(self) -> bool:
        """Whether a button says it all."""
        return not any(form.visible_fields() for form in self.forms) and not self.is_refused

    @property
    def is_refused(self) -> bool:
        return any(form.is_bound and form.errors for form in self.forms)


def _empty(sight: Sight, data: Any) -> forms.Form:
    return EmptyForm(data)


def _assign(sight: Sight, data: Any) -> forms.Form:
    return AssignForm(data)


def _report(sight: Sight, data: Any) -> forms.Form:
    return _page(sight).reached_form(sight.order, data)


def _extend(sight: Sight, data: Any) -> forms.Form:
    return _page(sight).goal_form(sight.order, data)


def _reprice(sight: Sight, data: Any) -> forms.Form:
    prices = {name: sight.frame[name] for name in ("actual_price", "booster_price")}
    return RepriceForm(data, initial=prices | {f"seen_{name}": price for name, price in prices.items()})


def _reason(sight: Sight, data: Any) -> forms.Form:
    return ReasonForm(data)


def _resolve(sight: Sight, data: Any) -> forms.Form:
    return ResolveForm(data, initial={"dispute": next((row.id for row in sight.disputes if row.is_open), None)})


def _key(form: forms.Form) -> str:
    """Return the key that came with the form; without one a step is what its status makes of it."""
    return form.data.get("idempotency_key", "")


def _note(sight: Sight, data: Any) -> forms.Form:
    return NoteForm(data, initial={"note": sight.frame["note"]})


def _page(sight: Sight) -> Any:
    if sight.page is None:
        raise UnknownGame(f"{sight.order.game} has no pages: play this order through the API.")
    return sight.page


ACTIONS: dict[str, Action] = {
    action.verb: action
    for action in (
        Action(
            "report", "Report progress", "trending-up", "primary",
            "Everybody who watches sees it at once. At 100 % you can finish.",
            _report,
            lambda order_id, by, form: services.order_report_progress(order_id=order_id, reached=form.place(), by=by),
        ),
        Action(
            "claim", "Claim this order", "hand", "primary", "The first booster gets it.",
            _empty,
            lambda order_id, by, form: services.order_claim(order_id=order_id, booster=by),
            blind=True,
        ),
        Action(
            "assign", "Assign a booster", "user-plus", "primary", "The order starts with the booster you choose.",
            _assign,
            lambda order_id, by, form: services.order_assign(
                order_id=order_id, booster=form.cleaned_data["booster"], by=by
            ),
        ),
        Action(
            "resume", "Resume", "circle-play", "primary", "Play goes on.",
            _empty,
            lambda order_id, by, form: services.order_resume(order_id=order_id, by=by),
        ),
        Action(
            "pause", "Pause", "circle-pause", "plain", "Play stops until somebody resumes it.",
            _empty,
            lambda order_id, by, form: services.order_pause(order_id=order_id, by=by),
        ),
        Action(
            "finish", "Finish", "circle-check", "plain", "The rest of the payout is paid.",
            _empty,
            lambda order_id, by, form: services.order_finish(order_id=order_id, by=by, idempotency_key=_key(form)),
        ),
        Action(
            "write_note", "Write the note", "pencil-line", "plain",
            "Your booster reads it; boosters who look for orders do not.",
            _note,
            lambda order_id, by, form: services.order_write_note(
                order_id=order_id, note=form.cleaned_data["note"], by=by
            ),
        ),
        Action(
            "resolve", "Resolve the dispute", "circle-check", "primary", "Once, for all that is held. Staff reads why.",
            _resolve,
            lambda order_id, by, form: services.order_resolve(
                order_id=order_id,
                outcome=form.cleaned_data["outcome"],
                dispute=form.cleaned_data["dispute"],
                reason=form.cleaned_data["reason"],
                by=by,
                idempotency_key=_key(form),
            ),
        ),
        Action(
            "extend", "Extend the goal", "arrow-up-right", "plain", "The difference is paid at once.",
            _extend,
            lambda order_id, by, form: services.order_extend(
                order_id=order_id, goal=form.place(), by=by, idempotency_key=_key(form)
            ),
        ),
        Action(
            "reprice", "Change the price", "tag", "plain", "The client pays or gets back the difference at once.",
            _reprice,
            lambda order_id, by, form: services.order_reprice(
                order_id=order_id,
                actual_price=form.cleaned_data["actual_price"],
                booster_price=form.cleaned_data["booster_price"],
                seen=form.seen(),
                reason=form.cleaned_data["reason"],
                by=by,
                idempotency_key=_key(form),
            ),
        ),
        Action(
            "dispute", "Open a dispute", "flag", "danger", "Payouts are held until a manager has decided.",
            _reason,
            lambda order_id, by, form: services.order_dispute(
                order_id=order_id, by=by, reason=form.cleaned_data["reason"]
            ),
        ),
        Action(
            "release", "Release", "undo-2", "danger", "The part done is paid; the rest is offered to other boosters.",
            _empty,
            lambda order_id, by, form: services.order_release(order_id=order_id, by=by, idempotency_key=_key(form)),
            blind=True,
        ),
        Action(
            "drop", "Drop the order", "circle-x", "danger", "The part done is paid out, the client gets the rest back.",
            _reason,
            lambda order_id, by, form: services.order_drop(
                order_id=order_id, by=by, reason=form.cleaned_data["reason"], idempotency_key=_key(form)
            ),
        ),
    )
}  # fmt: skip
KEYED = frozenset({"extend", "reprice", "release", "finish", "drop", "resolve"})
"""The verbs that move money: each post counts once."""


def offers_of(sight: Sight, *, sent: "tuple[str, forms.Form] | None" = None) -> list[Offer]:
    """Return what may be done now; the form that was ``sent`` and refused keeps its input and its error."""
    offers = []
    for verb, action in ACTIONS.items():
        if verb in sight.verbs:
            form = sent[1] if sent and sent[0] == verb else action.form(sight, None)
            offers.append(Offer(action, [form, *([KeyForm()] if verb in KEYED else [])]))
    return offers
