"""The access log of the stock ``daphne`` command, without what is secret in an address."""

from typing import Any

from daphne.access import AccessLogGenerator

from gameBoosterss.logs import HIDDEN, clean


def shown(request: str) -> str:
    """Return a line of a request without the values of its query, whatever they are called.

    >>> shown("GET /x?access_token=hunter2&password=hunter2")
    'GET /x?[hidden]'
    >>> shown("WSCONNECT /ws/orders/7/")
    'WSCONNECT /ws/orders/7/'
    """
    path, mark, _ = request.partition("?")
    return clean(f"{path}?{HIDDEN}" if mark else path)


class AccessLog(AccessLogGenerator):  # type: ignore[misc] # daphne has no types
    """Daphne's own lines; it writes them past the logging of this house, and so past its cleaner."""

    def write_entry(self, host: Any, date: Any, request: str, *args: Any, **values: Any) -> None:
        super().write_entry(host, date, shown(request), *args, **values)
