"""Queries that no page can mean."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

Answer = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def without_nul(get_response: Answer) -> Answer:
    """Refuse a NUL in a query with 400: PostgreSQL has none in text, and a filter of the admin site would say 500.

    Forms and the API refuse it themselves, and say where it is.
    """
    if iscoroutinefunction(get_response):

        async def answered(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = _refusal(request) or await get_response(request)
            return response

        return answered

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = _refusal(request) or get_response(request)
        assert isinstance(response, HttpResponseBase)
        return response

    return answer


def _refusal(request: HttpRequest) -> HttpResponseBase | None:
    query = request.META.get("QUERY_STRING", "")
    if request.path_info.startswith("/api/") or not ("%00" in query or "\x00" in query):
        return None
    return HttpResponseBadRequest("The address has a character that is no text.", content_type="text/plain")
