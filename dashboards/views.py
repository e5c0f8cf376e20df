"""The pages. Selectors read, services write; a view translates between them and HTTP."""

from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from dashboards.actions import ACTIONS, Action, offers_of
from dashboards.forms import AccountForm, DecisionForm, EmptyForm, FilterForm, TermsForm
from dashboards.game_pages import GamePage, game_choices, game_page
from dashboards.selectors import (
    Sight,
    frames_for,
    order_key,
    shelf_pages,
    sight_for,
)
from orders.exceptions import NotDisputed, OrderError, OrderNotFound, OrderTaken, PriceMoved
from wallet.exceptions import WalletError
from wallet.selectors import user_books


class PersonRequest(HttpRequest):
    """A request of somebody who is logged in; ``for_people`` sees to it."""

    user: User


View = Callable[..., HttpResponseBase]


def wants_json(request: HttpRequest) -> bool:
    """Whether our script asks, and not a plain form."""
    return request.headers.get("Accept", "") == "application/json"


def for_people(view: View) -> View:
    """Let in who is logged in; everybody else goes to the log-in. What is missing for him gets the same 404."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            if wants_json(request):
                return JsonResponse(
                    {"error": "You are logged out. Log in again in another tab, then repeat this."}, status=401
                )
            return redirect_to_login(request.get_full_path())
        try:
            return view(request, *args, **kwargs)
        except OrderNotFound as refusal:
            # Not Http404: with DEBUG on Django's own page would say more about one of the two cases.
            if wants_json(request):
                return JsonResponse({"error": str(refusal)}, status=404)
            return render(request, "404.html", {"refusal": refusal}, status=404)

    return guarded


@require_safe
@for_people
def orders(request: PersonRequest) -> HttpResponse:
    """Everything the viewer has, in one or two lists."""
    return render(request, "dashboards/orders.html", lists_of(request))


@require_safe
@for_people
def order_rows(request: PersonRequest) -> HttpResponseBase:
    """The lists alone, for the script that hears that one of them moved; 304 while nothing did."""
    context = lists_of(request)
    response = get_conditional_response(request, etag=context["etag"])
    if response is None:
        response = render(request, "dashboards/_shelves.html", context)
    response["ETag"] = context["etag"]
    return response


def lists_of(request: PersonRequest) -> dict[str, Any]:
    """Return what the templates of the lists show, and a tag that changes with any of it."""
    filters = FilterForm(request.GET)
    criteria = filters.criteria()
    pages = shelf_pages(request.user, criteria=criteria, numbers=request.GET)
    books = user_books(request.user)
    seen = (request.user.pk, request.user.role, books, [page.seen for page in pages])
    etag = f'"{sha256(repr(seen).encode()).hexdigest()[:32]}"'
    return {"pages": pages, "filters": filters, "criteria": criteria, "books": books, "etag": etag}


@require_safe
@for_people
def order(request: PersonRequest, key: str) -> HttpResponse:
    """One order with everything the viewer may see."""
    return render(request, "dashboards/order.html", context_of(sight_for(request.user, key)))


@require_safe
@for_people
def order_parts(request: PersonRequest, key: str) -> HttpResponse:
    """The parts that the server draws: the way, the buttons, the ledger. The script asks again after a change."""
    return render(request, "dashboards/_parts.html", context_of(sight_for(request.user, key)))


def context_of(sight: Sight, *, sent: tuple[str, forms.Form] | None = None, **more: Any) -> dict[str, Any]:
    """Return what the templates of an order show; ``sent`` is a verb with its form that was refused."""
    return {"sight": sight, "offers": offers_of(sight, sent=sent), "account_form": AccountForm(), **more}


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def order_act(request: PersonRequest, key: str, verb: str) -> HttpResponse:
    """Do ``verb``; a refusal comes back beside the form, with what was typed."""
    action = ACTIONS.get(verb)
    if action is None:
        raise OrderNotFound(key)
    if request.method != "POST":  # back from the log-in
        return redirect("dashboards:order", key=key)
    order_id = order_key(key)
    try:
        sight = sight_for(request.user, key)
        form = action.form(sight, request.POST)
    except OrderNotFound:
        if not action.blind:
            raise
        sight, form = None, EmptyForm(request.POST)
    if not form.is_valid():
        return refused(request, key, sight, action, form, status=422)
    try:
        action.act(order_id, request.user, form)
    except OrderTaken as refusal:
        return taken(request, refusal)
    except OrderNotFound:
        raise
    except (OrderError, WalletError) as refusal:
        form.add_error(None, str(refusal))
        if isinstance(refusal, PriceMoved | NotDisputed):
            sight = look_again(request, key, action, form)
        return refused(request, key, sight, action, form, status=409)
    return done(request, order_id)


def look_again(request: PersonRequest, key: str, action: Action, form: forms.Form) -> Sight:
    """Return the order as it is by now, and let ``form`` decide about that when it is sent once more."""
    sight = sight_for(request.user, key)
    if isinstance(form, DecisionForm):
        form.look_again(action.form(sight, None))
    return sight


def done(request: PersonRequest, order_id: int) -> HttpResponse:
    """Show the order as it is now, or the list where he sees it no more."""
    frame = frames_for(request.user, [order_id]).get(order_id)
    location = reverse("dashboards:order", args=[order_id]) if frame else reverse("dashboards:orders")
    if wants_json(request):
        return JsonResponse({"frame": frame, "location": location})
    return redirect(location)


def taken(request: PersonRequest, refusal: OrderTaken) -> HttpResponse:
    if wants_json(request):
        return JsonResponse({"error": str(refusal)}, status=409)
    messages.error(request, str(refusal))
    return redirect("dashboards:orders")


def refused(
    request: PersonRequest, key: str, sight: Sight | None, action: Action, form: forms.Form, *, status: int
) -> HttpResponse:
    if wants_json(request):
        now = {"now": form.now} if isinstance(form, DecisionForm) and form.now else {}
        return JsonResponse(refusal_of(form) | now, status=status)
    if sight is None:
        raise OrderNotFound(key)
    context = context_of(sight, sent=(action.verb, form), refused=refusal_of(form))
    return render(request, "dashboards/order.html", context, status=status)


def refusal_of(*found: forms.Form) -> dict[str, Any]:
    """Return what is wrong: one sentence for the whole form, and one for each field."""
    general = [str(error) for form in found for error in form.non_field_errors()]
    fields = {name: str(errors[0]) for form in found for name, errors in form.errors.items() if name != "__all__"}
    return {"error": " ".join(general), "fields": fields}


@require_safe
@for_people
def order_new_games(request: PersonRequest) -> HttpResponse:
    """Choose a game; with one game there is nothing to choose."""
    games = game_choices()
    if len(games) == 1:
        return redirect("dashboards:order-new", game=games[0].slug)
    return render(request, "dashboards/games.html", {"games": games})


@require_http_methods(["GET", "HEAD", "POST"])
@for_people
def order_new(request: PersonRequest, game: str) -> HttpResponse:
    """Order a boost and pay for it with the demo provider."""
    page = game_page(game)
    if page is None:
        raise OrderNotFound(game)
    if request.method != "POST":
        return order_form(request, page, page.way_form(), TermsForm(), status=200)
    way, terms = page.way_form(request.POST), TermsForm(request.POST)
    if not (way.is_valid() & terms.is_valid()):
        return order_form(request, page, way, terms, status=422)
    if request.POST.get("step") == "quote":
        return order_form(request, page, way, terms, status=200)
    try:
        made = page.create(
            way,
            client=request.user,
            options=terms.options(),
            note=terms.cleaned_data["note"],
            booster=terms.cleaned_data["booster"],
            idempotency_key=terms.cleaned_data["idempotency_key"],
        )
    except (OrderError, WalletError) as refusal:
        terms.add_error(None, str(refusal))
        return order_form(request, page, way, terms, status=409)
    return done(request, made.pk)


def order_form(
    request: PersonRequest, page: GamePage, way: forms.Form, terms: TermsForm, *, status: int
) -> HttpResponse:
    if status != 200 and wants_json(request):
        return JsonResponse(refusal_of(way, terms), status=status)
    context = {"game": page, "way": way, "terms": terms, **quote_of(page, way, terms)}
    return render(request, "dashboards/order_new.html", context, status=status)


@require_POST
@for_people
def quote(request: PersonRequest, game: str) -> HttpResponse:
    """What an order with these values would cost; places nothing."""
    page = game_page(game)
    if page is None:
        raise OrderNotFound(game)
    return JsonResponse(quote_of(page, page.way_form(request.POST), TermsForm(request.POST)))


def quote_of(page: GamePage, way: forms.Form, terms: TermsForm) -> dict[str, str]:
    if not way.is_bound:
        way, terms = page.way_form(way.initial), TermsForm({})
    if not (way.is_valid() & terms.is_valid()):
        return {"price": "", "why": " ".join(refusal_of(way, terms)["fields"].values())}
    try:
        return {"price": str(page.price(way, terms.options())), "why": ""}
    except OrderError as refusal:
        return {"price": "", "why": str(refusal)}
