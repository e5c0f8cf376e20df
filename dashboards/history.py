"""The pages of an order's history: the timeline, the order as of a version, and the timeline as a file."""

from collections.abc import Callable, Iterator

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboards import export
from dashboards.timeline import Reader, form_for, history_page, reader_for, state_page
from dashboards.views import PersonRequest, for_people
from orders.feeds import OrderFeed
from realtime.exceptions import Trimmed
from realtime.history import Wanted
from realtime.identity import accounts, claim_of


@require_safe
@for_people
def timeline(request: PersonRequest, key: str) -> HttpResponse:
    """What happened to an order, newest first; for staff also when it is deleted."""
    return render(request, "dashboards/history.html", {"history": history_page(request.user, key, request.GET)})


@require_safe
@for_people
def state(request: PersonRequest, key: str, version: str) -> HttpResponse:
    """The order as of a version."""
    try:
        page = state_page(request.user, key, version)
    except Trimmed:
        return render(request, "dashboards/trimmed.html", {"key": key, "version": version}, status=410)
    return render(request, "dashboards/state.html", {"page": page})


@require_safe
@for_people
def timeline_csv(request: PersonRequest, key: str) -> HttpResponseBase:
    """The timeline as a table, with the filters of the page."""
    return _file(request, key, export.as_csv, "csv", "text/csv; charset=utf-8")


@require_safe
@for_people
def timeline_json(request: PersonRequest, key: str) -> HttpResponseBase:
    """The timeline as JSON, with the filters of the page."""
    return _file(request, key, export.as_json, "json", "application/json")


def _file(
    request: PersonRequest,
    key: str,
    made: Callable[[Reader, Wanted, export.Still], Iterator[str]],
    suffix: str,
    content_type: str,
) -> HttpResponseBase:
    reader, claim = reader_for(request.user, key), claim_of(request.user, request.session)

    def still() -> bool:
        user = accounts([claim]).get(claim) if claim else None
        return user is not None and OrderFeed.viewer(user) == reader.viewer

    parts = made(reader, form_for(reader, request.GET).wanted(), still)
    name = f"order-{reader.order_id}-history.{suffix}"
    return StreamingHttpResponse(
        export.streamed(parts),
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
