"""Who is writing: kept beside the request or the command, stored with every event."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

_current: ContextVar[Callable[[], str] | None] = ContextVar("realtime_actor", default=None)


def current() -> str:
    """Name who is writing now, such as ``user:5`` or ``command:simulate``; empty when nobody said."""
    name = _current.get()
    return name()[:100] if name else ""


@contextmanager
def acting(who: str | Callable[[], str]) -> Iterator[None]:
    """Store ``who`` with every event that the block writes, in this thread or task only.

    A function is called only when something is written.

    >>> with acting("command:simulate"):
    ...     current()
    'command:simulate'
    >>> current()
    ''
    """
    token = _current.set(who if callable(who) else lambda: who)
    try:
        yield
    finally:
        _current.reset(token)


def _user_of(request: HttpRequest) -> str:
    user = getattr(request, "user", None)
    return f"user:{user.pk}" if user is not None and user.is_authenticated else ""


class ActorMiddleware:
    """Events written by a view carry the user of the request. Stands after ``AuthenticationMiddleware``."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._async_call(request)
        with acting(partial(_user_of, request)):
            return self.get_response(request)

    async def _async_call(self, request: HttpRequest) -> HttpResponseBase:
        with acting(partial(_user_of, request)):
            response: HttpResponseBase = await self.get_response(request)  # type: ignore[misc]
            return response
