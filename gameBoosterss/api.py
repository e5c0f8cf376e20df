"""The HTTP API of the marketplace: each floor's ``api`` module under one document, ``/api/openapi.json``.

A refusal is a problem document (RFC 9457) with the rule's name. There is no documentation page: the one that
django-ninja brings loads its scripts from elsewhere.
"""

from importlib import import_module
from typing import Any

from django.apps import apps
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.module_loading import module_has_submodule
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from accounts.api import signed_in
from orders import exceptions as rules
from realtime import openapi
from realtime.feeds import all_feeds
from wallet.exceptions import WalletError

STATUSES: dict[type[Exception], int] = {}
"""What a refusal of the services is in HTTP, by the nearest class: each floor's ``api`` says it of its own."""

# These two name the number that was asked for; here missing, forbidden and no number are the same bytes.
SAID: dict[type[Exception], str] = {
    rules.OrderNotFound: "There is no such order for you.",
    rules.OrderTaken: "This order is not available any more. Choose another one from the list.",
}


class MarketplaceAPI(NinjaAPI):
    """The document also has what ``realtime`` answers under the same prefix."""

    def get_openapi_schema(self, **options: Any) -> Any:
        schema = super().get_openapi_schema(**options)
        for feed in all_feeds():
            schema["paths"].update(openapi.paths(feed, prefix="/api/"))
        return schema


api = MarketplaceAPI(
    title="GameBoosterss",
    version="1",
    description="Orders as their viewer sees them, and what he can do to them. Session cookie and CSRF token.",
    auth=signed_in,
    docs_url=None,
    urls_namespace="api",
)


def problem(request: HttpRequest, status: int, rule: str, detail: str) -> HttpResponse:
    """Return a refusal; ``error`` is the form that all of ``/api/`` shares."""
    body = {
        "type": f"urn:gameboosterss:rule:{rule}",
        "title": rule.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "error": {"code": rule, "message": detail},
    }
    return JsonResponse(body, status=status, content_type="application/problem+json")


def rule_of(refusal: Exception) -> str:
    """Return the name of the rule that was broken.

    >>> rule_of(rules.WrongStatus("Order 5 is Done."))
    'wrong_status'
    """
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(refusal).__name__)[1:]


@api.exception_handler(rules.OrderError)
@api.exception_handler(WalletError)
def refused(request: HttpRequest, refusal: Exception) -> HttpResponse:
    status = next(STATUSES[kind] for kind in type(refusal).__mro__ if kind in STATUSES)
    return problem(request, status, rule_of(refusal), SAID.get(type(refusal), str(refusal)))


@api.exception_handler(AuthenticationError)
def unknown_person(request: HttpRequest, refusal: Exception) -> HttpResponse:
    return problem(request, 401, "not_authenticated", "Log in and send the session cookie, or send a bearer token.")


@api.exception_handler(ValidationError)
def not_understood(request: HttpRequest, refusal: ValidationError) -> HttpResponse:
    """Say which value is wrong and how; never repeat it."""
    wrong = [f"{'.'.join(str(part) for part in error['loc'][1:])}: {error['msg']}" for error in refusal.errors]
    text = "; ".join(wrong)[:1000].encode("utf-8", "replace").decode()
    return problem(request, 422, "bad_request", text)


@api.exception_handler(HttpError)
def other_refusal(request: HttpRequest, refusal: HttpError) -> HttpResponse:
    rule = {400: "bad_json", 403: "csrf_failed"}.get(refusal.status_code, "refused")
    detail = {
        "bad_json": "The body is no JSON.",
        "csrf_failed": "Send the CSRF token: the value of the cookie csrftoken in the header X-CSRFToken.",
    }
    return problem(request, refusal.status_code, rule, detail.get(rule, str(refusal)))


FLOORS = ("accounts", "orders", "wallet", "vault", "games")
for floor in FLOORS:
    for app in apps.get_app_configs():
        if app.name.split(".")[0] == floor and app.module and module_has_submodule(app.module, "api"):
            module = import_module(f"{app.name}.api")
            api.add_router("", module.router)
            STATUSES.update(getattr(module, "STATUSES", {}))
