"""Too many failed log-ins, or two at once: what one is told then."""

import math
from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.address import address_of

STATUS = 429
UNDER_WAY = "Another try with this name is being looked at. Try again."


def say_under_way(request: HttpRequest) -> None:
    """Have the middleware of axes answer ``request`` as one that came while another try is looked at."""
    request.axes_locked_out = request.is_under_way = True  # type: ignore[attr-defined]


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """Say that it was tried too often, and when to try again: a page, or JSON for whoever accepts that.

    The middleware of axes 8.3 hands other arguments over under ASGI than under WSGI: the request has all of it.
    """
    if getattr(request, "is_under_way", False):
        return _answer(request, "try_under_way", UNDER_WAY, seconds=1)
    credentials = getattr(request, "axes_credentials", None) or {}
    minutes = max(1, math.ceil(wait_of(request, credentials.get("username")).total_seconds() / 60))
    words = f"Too many failed log-ins with this name from your address. Try again in {minutes} min."
    return _answer(request, "too_many_tries", words, seconds=minutes * 60)


def _answer(request: HttpRequest, code: str, words: str, *, seconds: int) -> HttpResponse:
    answer: HttpResponse
    if "application/json" in request.headers.get("Accept", ""):
        answer = JsonResponse({"error": {"code": code, "message": words}}, status=STATUS)
    else:
        answer = render(request, "accounts/locked_out.html", {"refusal": words, "code": code}, status=STATUS)
    answer["Retry-After"] = str(seconds)
    answer["Cache-Control"] = "no-store, private"
    return answer


def wait_of(request: HttpRequest, username: Any) -> timedelta:
    """Return how long the failed tries still count."""
    tries = AccessAttempt.objects.filter(username=username, ip_address=address_of(request))
    last = tries.order_by("-attempt_time").values_list("attempt_time", flat=True).first()
    cool_off: timedelta = settings.AXES_COOLOFF_TIME
    return cool_off if last is None else max(last + cool_off - timezone.now(), timedelta())
