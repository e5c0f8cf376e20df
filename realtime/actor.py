"""Who is writing: kept beside the request or the command, stored with every event."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

_current: ContextVar[str] = ContextVar("realtime_actor", default="")


def current() -> str:
    """Name who is writing now, such as ``user:5`` or ``command:simulate``; empty when nobody said."""
    return _current.get()


@contextmanager
def acting(who: str) -> Iterator[None]:
    """Store ``who`` with every event that the block writes, in this thread or task only.

    >>> with acting("command:simulate"):
    ...     current()
    'command:simulate'
    >>> current()
    ''
    """
    token = _current.set(who[:100])
    try:
        yield
    finally:
        _current.reset(token)


def _name(request: HttpRequest) -> str:
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
        with acting(_name(request)):
            return self.get_response(request)

    async def _async_call(self, request: HttpRequest) -> HttpResponseBase:
        user = await request.auser() if hasattr(request, "auser") else None
        with acting(f"user:{user.pk}" if user is not None and user.is_authenticated else ""):
            return await self.get_response(request)  # type: ignore[misc]
