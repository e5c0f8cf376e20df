"""Who is writing, from where and why: kept beside the request or the command, stored with every event."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from .middleware import Middleware


@dataclass(frozen=True, slots=True)
class Actor:
    """Who writes (``user:5``, ``command:simulate``), from where (``http``), in which request, and why."""

    name: str = ""
    source: str = ""
    request: str = ""
    reason: str = ""


_nobody: Callable[[], Actor] = Actor
_current: ContextVar[Callable[[], Actor]] = ContextVar("realtime_actor", default=_nobody)


def of_user(key: object) -> str:
    """Return the name of the user with this key, as an actor.

    >>> of_user(5)
    'user:5'
    """
    return f"user:{key}"


def current() -> Actor:
    """Return who is writing now; empty when nobody said."""
    return _current.get()()


@contextmanager
def acting(who: str | Callable[[], Actor], *, source: str = "", request: str = "", reason: str = "") -> Iterator[None]:
    """Store ``who`` with every event that the block writes, in this thread or task only.

    A function is called only when something is written.

    >>> with acting("command:simulate", source="command"):
    ...     current().name, current().source
    ('command:simulate', 'command')
    >>> current().name
    ''
    """
    actor = Actor() if callable(who) else Actor(who[:100], source[:100], request[:100], reason[:500])
    token = _current.set(who if callable(who) else lambda: actor)
    try:
        yield
    finally:
        _current.reset(token)


def _of_request(request: HttpRequest) -> Actor:
    user = getattr(request, "user", None)
    name = of_user(user.pk) if user is not None and user.is_authenticated else ""
    return Actor(name, "http", request.headers.get("X-Request-ID", "")[:100])


class ActorMiddleware(Middleware):
    """Events written by a view carry the user of the request. Stands after ``AuthenticationMiddleware``."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._async_call(request)
        with acting(partial(_of_request, request)):
            return self.get_response(request)

    async def _async_call(self, request: HttpRequest) -> HttpResponseBase:
        with acting(partial(_of_request, request)):
            response: HttpResponseBase = await self.get_response(request)  # type: ignore[misc]
            return response
