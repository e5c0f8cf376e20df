"""Who wrote an event: the user of the request, sync or async; nobody else's."""

from typing import Any

from asgiref.sync import iscoroutinefunction
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse

from realtime.actor import Actor, ActorMiddleware, acting, current


class Person:
    pk, is_authenticated = 5, True


def request(user: Any) -> HttpRequest:
    made = HttpRequest()
    made.user = user
    return made


def test_a_view_acts_for_its_user() -> None:
    middleware: Any = ActorMiddleware(lambda request: HttpResponse(current().name))
    assert [middleware(request(user)).content for user in (Person(), AnonymousUser())] == [b"user:5", b""]
    assert current() == Actor()


async def test_an_async_view_acts_for_its_user() -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(current().name)

    middleware: Any = ActorMiddleware(view)  # type: ignore[arg-type]
    assert iscoroutinefunction(middleware)
    response = await middleware(request(Person()))
    assert response.content == b"user:5"


def test_a_request_that_writes_nothing_asks_nobody_who_he_is() -> None:
    asked: list[str] = []

    def who() -> Actor:
        asked.append("asked")
        return Actor("user:5")

    with acting(who):
        assert asked == []
        assert (current().name, asked) == ("user:5", ["asked"])


def test_the_inner_actor_counts_and_long_names_are_cut() -> None:
    with acting("command:simulate"), acting("x" * 500):
        assert current().name == "x" * 100
