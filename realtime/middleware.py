"""What each middleware here begins with, for sync and async servers alike."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class Middleware:
    """Keeps what answers a request. Where that is a coroutine the middleware is one too, and Django needs no thread.

    With ``is_async`` a call returns something to be awaited.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        return self.get_response(request)

    def given(self, answer: HttpResponseBase) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Return what ``__call__`` does that answers by itself."""
        return _awaitable(answer) if self.is_async else answer


async def _awaitable(answer: HttpResponseBase) -> HttpResponseBase:
    return answer
