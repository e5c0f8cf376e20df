"""What strangers send and no database can hold: PostgreSQL's text has no NUL, and UTF-8 no lone surrogates.

SQLite takes both, so a project that is tried on it alone does not notice.
"""

from collections.abc import Awaitable, Iterable, Mapping

from django.http import HttpRequest, JsonResponse, parse_cookie
from django.http.response import HttpResponseBase

from .middleware import Middleware

NUL = "\x00"


def can_be_stored(text: str) -> bool:
    r"""Return whether a database can be asked for ``text``.

    >>> can_be_stored("ünïcode"), can_be_stored("a\x00b"), can_be_stored("\ud800")
    (True, False, False)
    """
    return NUL not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def storable(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    r"""Return the headers of an ASGI scope without the cookies that no database can be asked for.

    >>> storable([(b"cookie", rb'a=1; b="\000"; c=2'), (b"host", b"example.org")])
    [(b'cookie', b'a=1; c=2'), (b'host', b'example.org')]
    """
    return [(name, _storable_cookies(value) if name == b"cookie" else value) for name, value in headers]


def _storable_cookies(sent: bytes) -> bytes:
    return b";".join(part for part in sent.split(b";") if _are_storable(parse_cookie(part.decode("latin-1"))))


def _are_storable(cookies: Mapping[str, str]) -> bool:
    return all(can_be_stored(name + value) for name, value in cookies.items())


class TextMiddleware(Middleware):
    """No cookie and no query that a view reads holds what no database can: such a cookie was not sent, and such a query
    is answered with 400.

    Stands in front of ``SessionMiddleware``, which asks the database for a cookie as it came. The cookie is dropped and
    not refused: another host of the domain may have set it, and its browser would be refused for good. Paths are the
    views' own: what is no key is missing there like any other.
    """

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        refusal = _refusal(request)
        return self.get_response(request) if refusal is None else self.given(refusal)


def _refusal(request: HttpRequest) -> HttpResponseBase | None:
    for name in [name for name, value in request.COOKIES.items() if not can_be_stored(name + value)]:
        del request.COOKIES[name]
    query = request.META.get("QUERY_STRING", "")
    if can_be_stored(query) and "%00" not in query:  # other bytes that are no UTF-8 are replaced when it is read
        return None
    message = "The query holds a character that is no text (%00)."
    answer = JsonResponse({"error": {"code": "bad_parameter", "message": message}}, status=400)
    answer["Cache-Control"] = "no-store"
    return answer
