"""Response headers that Django has no setting for."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import has_vary_header
from django.utils.decorators import sync_and_async_middleware

# What a page may not ask the browser for: none of ours does, and no script that got in shall.
POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "autoplay",
        "browsing-topics",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "usb",
    )
)
# What SecurityMiddleware and the policy of pages say, for the answers that do not get as far: a foreign Host, files.
BARE = {
    "Permissions-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
BARE_POLICY = "default-src 'none'; frame-ancestors 'none'"
Answer = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]
Change = Callable[[HttpRequest, HttpResponseBase], None]


def changed(get_response: Answer, change: Change) -> Answer:
    """Return ``get_response`` with ``change`` done to every answer; under ASGI without a thread."""
    if iscoroutinefunction(get_response):

        async def answered(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = await get_response(request)
            change(request, response)
            return response

        return answered

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        assert isinstance(response, HttpResponseBase)
        change(request, response)
        return response

    return answer


@sync_and_async_middleware
def for_every_answer(get_response: Answer) -> Answer:
    """Send what keeps others out with every answer; the outermost, so that no refusal goes without."""
    return changed(get_response, _bare)


@sync_and_async_middleware
def kept_by_nobody(get_response: Answer) -> Answer:
    """Let no cache keep what the API says, or what depends on who asks: not the browser's own either.

    After a log-out the back button would show it to whoever sits there next. Outside of the session's middleware,
    which says in ``Vary`` that the cookie was looked at.
    """
    return changed(get_response, _unkept)


def _bare(request: HttpRequest, response: HttpResponseBase) -> None:
    for name, value in BARE.items():
        response.headers.setdefault(name, value)
    if not settings.DEBUG:  # Django's own error pages need their styles
        response.headers.setdefault("Content-Security-Policy", BARE_POLICY)


def _unkept(request: HttpRequest, response: HttpResponseBase) -> None:
    if request.path_info.startswith("/api/") or has_vary_header(response, "Cookie"):
        whole = ["no-transform"] if "no-transform" in response.headers.get("Cache-Control", "") else []
        response.headers["Cache-Control"] = ", ".join(["private", "no-store", *whole])
