"""The way of a request to its view: its methods, its place, who asks; and how it is refused, alike in bytes and time.

A view takes ``(request, user, …)`` or ``(request, feed, viewer, …)`` and answers, or raises ``Refusal``.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from . import conf, metrics
from .address import address_of
from .feeds import Feed, feed_named
from .identity import Claim, claim_of
from .protocol.messages import Error
from .quotas import Over, Place, Quotas

View = Callable[..., Awaitable[HttpResponseBase]]


class Refusal(Exception):
    """Answered as JSON: ``{"error": {"code", "message"}}``. ``retry_after``: seconds until trying again may help."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after = status, code, retry_after


def not_found(feed: type[Feed]) -> Refusal:
    return Refusal(404, "not_found", f"There is no such {feed.name} for you.")


def refusal_of(feed: type[Feed], error: Error) -> Refusal:
    """Return the HTTP answer to an error of the sync dialect."""
    if error.code == "not_found":
        return not_found(feed)
    status = 404 if error.code == "forbidden" else 400
    return Refusal(status, error.code, f"{error.message[:1].upper()}{error.message[1:]}.")


async def claim_in_request(request: HttpRequest) -> Claim:
    """Return on whose account, and on which session or token, a request rests."""
    token: Claim | None = getattr(request, "claim", None)
    user = await request.auser()
    claim = token or claim_of(user, getattr(request, "session", None))
    if claim is None or not user.is_authenticated:  # what a token claims need not hold any more
        raise nobody()
    return claim


def nobody() -> Refusal:
    return Refusal(401, "not_authenticated", "Log in and send the session cookie, or send a bearer token.")


def has_loop(request: HttpRequest) -> bool:
    """Return whether the request came over ASGI: then its event loop outlives it."""
    return hasattr(request, "scope")


def at_once(request: HttpRequest) -> bool:
    """What is answered at once takes no place."""
    return False


def lasting(request: HttpRequest) -> bool:
    """A stream takes a place for as long as it lasts, like a socket."""
    return has_loop(request)


def waiting(request: HttpRequest) -> bool:
    """So does a poll that waits."""
    return has_loop(request) and request.GET.get("wait", "0") != "0"


def too_much(over: Over) -> Refusal:
    whose = "You have" if over.limit == "sockets" else "Your address has"
    return Refusal(429, "too_many", f"{whose} too much open at once, or opens too much.", retry_after=over.retry_after)


async def arrived(request: HttpRequest) -> Place:
    """Return a place among the strangers of the request's address, before anything is read of the database."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":  # a page of another site is not to use up an address
        raise Refusal(403, "foreign", "Pages of another site may not ask for this.")
    found = await Quotas.current().arrive(address_of(request))
    if isinstance(found, Over):
        raise too_much(found)
    if Quotas.current().is_crowded():
        found.leave()
        raise Refusal(503, "overloaded", "This server has more than it can do. Try again.", retry_after=5)
    return found


@asynccontextmanager
async def placed(request: Any, takes_place: bool) -> AsyncIterator[None]:
    """Have ``request`` take a place, of its address first and then of its user. A stream takes it over."""
    request.place = await arrived(request) if takes_place else None
    try:
        claim = await claim_in_request(request)
        if request.place is not None:
            over = await request.place.belong(str((await request.auser()).pk), claim)
            if over is not None:
                raise too_much(over)
        yield
    finally:
        if request.place is not None:
            request.place.leave()


def answering(*methods: str, takes_place: Callable[[HttpRequest], bool] = at_once) -> Callable[[View], View]:
    """Make a view of ``(request, user, …)``: its methods, somebody who is logged in, its refusals, their time (I20)."""

    def decorate(view: View) -> View:
        @wraps(view)
        async def answered(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            started = time.monotonic()
            try:
                if request.method not in methods:
                    raise Refusal(405, "wrong_method", f"Use {' or '.join(methods)}.")
                async with placed(request, takes_place(request)):
                    return await view(request, await request.auser(), **kwargs)
            except Refusal as refusal:
                answer = refused(refusal)
            except DatabaseError:
                reason = "This cannot be read now. Try again in a second."
                answer = refused(Refusal(503, "unavailable", reason, retry_after=1))
            if answer.status_code == 405:
                answer["Allow"] = ", ".join(methods)
            await asyncio.sleep(max(0.0, started + conf.current().refusal_seconds - time.monotonic()))
            return answer

        return answered

    return decorate


def reading(*methods: str, takes_place: Callable[[HttpRequest], bool] = at_once) -> Callable[[View], View]:
    """Make a view of ``(request, feed, viewer, …)``."""

    def decorate(view: View) -> View:
        @answering(*methods, takes_place=takes_place)
        @wraps(view)
        async def read(request: HttpRequest, user: Any, *, feed_name: str, **kwargs: Any) -> HttpResponseBase:
            feed = feed_named(feed_name)
            return await view(request, feed, feed.viewer(user), **kwargs)

        return read

    return decorate


def refused(refusal: Refusal) -> HttpResponse:
    metrics.refused.labels(str(refusal.status)).inc()
    answer = JsonResponse({"error": {"code": refusal.code, "message": str(refusal)}}, status=refusal.status)
    answer["Cache-Control"] = "no-store"
    if refusal.retry_after:
        answer["Retry-After"] = str(math.ceil(refusal.retry_after))
    return answer
