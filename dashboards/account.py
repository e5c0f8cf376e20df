"""Account data on an order's page. What shows it is asked for by a post, and kept by nobody."""

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.address import whole_address_of
from dashboards.forms import AccountForm
from dashboards.selectors import order_key, sight_for
from dashboards.views import PersonRequest, context_of, done, for_people, refusal_of, wants_json
from orders.exceptions import OrderError, OrderNotFound
from vault.exceptions import AccountLocked
from vault.sealing import Credentials
from vault.services import account_erase, account_read, account_write

posted = require_http_methods(["GET", "HEAD", "POST"])  # a GET comes back from the log-in


@sensitive_post_parameters()
@posted
@for_people
@never_cache
@sensitive_variables()
def write(request: PersonRequest, key: str) -> HttpResponse:
    """Give or change it."""
    if request.method != "POST":
        return redirect("dashboards:order", key=key)
    form = AccountForm(request.POST)
    status = 422
    if form.is_valid():
        try:
            account_write(order_id=order_key(key), by=request.user, **form.cleaned_data)
        except OrderNotFound:
            raise
        except OrderError as refusal:
            form.add_error(None, str(refusal))
            status = 409
        else:
            return done(request, order_key(key))
    if wants_json(request):
        return JsonResponse(refusal_of(form), status=status)
    return order_page(request, key, status=status, refused=refusal_of(form), account_form=form)


@posted
@for_people
@never_cache
@sensitive_variables()
def show(request: PersonRequest, key: str) -> HttpResponse:
    """Show it, and write down that it was shown."""
    if request.method != "POST":
        return redirect("dashboards:order", key=key)
    try:
        shown = account_read(order_id=order_key(key), by=request.user, address=whole_address_of(request))
    except OrderNotFound:
        raise
    except OrderError as refusal:
        return refused(request, key, refusal)
    if wants_json(request):
        return JsonResponse({"account": {name: getattr(shown, name) for name in Credentials.__slots__}})
    return order_page(request, key, shown=shown)


@posted
@for_people
@never_cache
def erase(request: PersonRequest, key: str) -> HttpResponse:
    """Erase it at its client's wish."""
    if request.method != "POST":
        return redirect("dashboards:order", key=key)
    try:
        account_erase(order_id=order_key(key), by=request.user)
    except OrderNotFound:
        raise
    except OrderError as refusal:
        return refused(request, key, refusal)
    return done(request, order_key(key))


def refused(request: PersonRequest, key: str, refusal: OrderError) -> HttpResponse:
    status = 503 if isinstance(refusal, AccountLocked) else 409
    if wants_json(request):
        return JsonResponse({"error": str(refusal)}, status=status)
    return order_page(request, key, status=status, refused={"error": str(refusal)})


def order_page(request: PersonRequest, key: str, *, status: int = 200, **more: Any) -> HttpResponse:
    return render(request, "dashboards/order.html", context_of(sight_for(request.user, key), **more), status=status)
