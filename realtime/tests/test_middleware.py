"""A middleware of ours under a sync and under an async server: a coroutine where the view is one, no thread between."""

from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from realtime.actor import ActorMiddleware
from realtime.credentials import CredentialsMiddleware
from realtime.text import TextMiddleware

KINDS: Any = pytest.mark.parametrize("kind", [ActorMiddleware, CredentialsMiddleware, TextMiddleware])
POISONED = "/?name=%00"


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse("seen")


async def async_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse("seen")


@KINDS
def test_before_a_view_it_answers_at_once(kind: Any) -> None:
    middleware = kind(view)
    assert not iscoroutinefunction(middleware)
    assert middleware(RequestFactory().get("/")).content == b"seen"


@KINDS
async def test_before_an_async_view_it_is_awaited(kind: Any) -> None:
    middleware = kind(async_view)
    assert iscoroutinefunction(middleware)
    assert (await middleware(RequestFactory().get("/"))).content == b"seen"


def test_what_it_refuses_by_itself_is_an_answer() -> None:
    assert TextMiddleware(view)(RequestFactory().get(POISONED)).status_code == 400  # type: ignore[union-attr]


async def test_what_it_refuses_by_itself_is_awaited_too() -> None:
    middleware: Any = TextMiddleware(async_view)  # type: ignore[arg-type]
    assert (await middleware(RequestFactory().get(POISONED))).status_code == 400
