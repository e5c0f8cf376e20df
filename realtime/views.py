"""Reading over plain HTTP (PROTOCOL §4): event streams, states with a tag, boards by polling, history.

One set of addresses for each registered feed; ``urls`` names them. What is missing and what is not for the viewer is
refused with the same bytes at the same time. Nothing here writes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import parse_etags

from . import conf, history, log, metrics, tickets
from .entrance import (
    Refusal,
    answering,
    claim_in_request,
    has_loop,
    lasting,
    nobody,
    not_found,
    reading,
    refusal_of,
    waiting,
)
from .feeds import Feed, Viewer
from .gateways import threads
from .gateways.polling import Answer, RequestReader, Seen, Waiter, seen, still
from .gateways.sse import Cursor, Stream
from .hub import Hub
from .masking import frame_for
from .parameters import board_topic, decoded, number, subscribe_of
from .protocol.frames import encode
from .reader import Reader

MOST_EVENTS = history.MOST


@contextmanager
def reader_for(request: HttpRequest) -> Iterator[Reader]:
    """Give what reads for this request: the hub's reader, which bundles, or its own thread."""
    if not has_loop(request):
        yield RequestReader()
        return
    with Hub.current().visit() as reader:
        yield reader


async def seen_by(request: HttpRequest, feed: type[Feed], key: Any, viewer: Viewer) -> Seen | None:
    with reader_for(request) as reader:
        return await seen(reader, feed, key, viewer)


@reading("GET", takes_place=lasting)
async def record_stream(request: HttpRequest, feed: type[Feed], viewer: Viewer, key: str) -> HttpResponseBase:
    """The states of one record, as server-sent events."""
    parsed = feed.key(key)
    if await seen_by(request, feed, parsed, viewer) is None:
        raise not_found(feed)
    stream = Stream(viewer, feed, cursor_of(request), await claim_in_request(request))
    stream.record(parsed)
    return streamed(request, stream)


@reading("GET", takes_place=lasting)
async def board_stream(request: HttpRequest, feed: type[Feed], viewer: Viewer) -> HttpResponseBase:
    """A board, as server-sent events: ``?topic=mine``, with ``filter`` and ``limit`` as in the sync dialect."""
    name = request.GET.get("topic", "")
    asked = {"topic": board_topic(feed, name), "limit": number(request, "limit", 200)}
    if "filter" in request.GET:
        asked["filter"] = decoded(request.GET["filter"].encode("utf-8", "replace"))
    said = subscribe_of(asked)
    stream = Stream(viewer, feed, cursor_of(request), await claim_in_request(request))
    error = stream.board(said.topic.partition(":")[2], said)
    if error is not None:
        raise refusal_of(feed, error)
    return streamed(request, stream)


class Streamed(StreamingHttpResponse):
    """Gives its place back even when it never begins: its reader may be gone before the first byte."""

    def __init__(self, stream: Stream, headers: dict[str, str]) -> None:
        super().__init__(stream.blocks(), headers=headers)
        self.stream = stream

    def close(self) -> None:
        super().close()
        self.stream.leave_place()


def streamed(request: Any, stream: Stream) -> HttpResponseBase:
    if not has_loop(request):
        raise Refusal(501, "no_stream", "Streams need an ASGI server, such as daphne. Poll the state instead.")
    stream.leave_place, request.place = request.place.leave, None
    headers = {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-store, no-transform",
        "X-Accel-Buffering": "no",  # nginx collects 8 KiB otherwise
        "Content-Encoding": "identity",  # GZipMiddleware and proxies leave alone what is encoded
    }
    return Streamed(stream, headers)


def cursor_of(request: HttpRequest) -> Cursor | None:
    """Return where a returning client is; in the query for clients that cannot set a header."""
    return Cursor.read(request.headers.get("Last-Event-ID") or request.GET.get("last_event_id", ""))


@reading("GET", "HEAD", takes_place=waiting)
async def record_state(request: HttpRequest, feed: type[Feed], viewer: Viewer, key: str) -> HttpResponseBase:
    """The newest state; with ``If-None-Match`` only when it is another, waited for up to ``?wait=`` seconds."""
    parsed, wait = feed.key(key), number(request, "wait", 0)
    here = await seen_by(request, feed, parsed, viewer)
    sent = parse_etags(request.headers.get("If-None-Match", ""))
    held = [tag.removeprefix("W/") for tag in sent]  # a proxy that compresses makes it weak, which is as good here
    if here is not None and here.tag in held and wait and has_loop(request):
        await threads.let_go()
        seconds = min(wait, conf.current().wait_seconds)
        claim = await claim_in_request(request)
        waiter = Waiter(viewer, feed, claim)
        await waiter.wait(parsed, epoch=here.epoch, version=here.update.version, seconds=seconds)
        with reader_for(request) as reader:
            now = await still(reader, feed, claim, viewer)
            if now is None:
                raise nobody()
            here = await seen(reader, feed, parsed, now)
    if here is None:
        raise not_found(feed)
    same = here.tag in held or held == ["*"]
    metrics.polls.labels("not modified" if same else "state").inc()
    answer = HttpResponse(status=304) if same else HttpResponse(here.text, content_type="application/json")
    answer["ETag"] = here.tag
    answer["Cache-Control"] = "private, no-cache"
    return answer


@reading("POST")
async def sync(request: HttpRequest, feed: type[Feed], viewer: Viewer) -> HttpResponseBase:
    """What a socket of the sync dialect would be sent after ``subscribe``, in one answer."""
    most = conf.current().subscribe_bytes
    if len(request.body) > most:
        raise Refusal(413, "too_big", f"A question has {most} bytes at most.")
    asked = decoded(request.body)
    topic = asked.get("topic") if isinstance(asked, dict) else None
    if isinstance(topic, str) and topic in feed.boards:
        asked["topic"] = board_topic(feed, topic)
    said = subscribe_of(asked)
    answer = Answer(viewer, feed)
    with reader_for(request) as reader:
        error = await answer.ask(said, reader)
    if error is not None:
        raise refusal_of(feed, error)
    assert answer.subscribed is not None
    metrics.polls.labels("sync").inc()
    body = {
        "epoch": answer.epoch,
        "recovered": answer.subscribed.recovered,
        "reason": answer.subscribed.reason,
        feed.plural: [msgspec.Raw(text.encode()) for text in answer.updates],
        "removed": answer.removed,
        "synced": getattr(answer.synced, feed.plural),
        "total": answer.synced.total,
    }
    return json_answer(msgspec.json.encode(body))


@reading("GET")
async def record_events(request: HttpRequest, feed: type[Feed], viewer: Viewer, key: str) -> HttpResponseBase:
    """The versions after ``?after=``, oldest first, as this viewer may read them."""
    parsed = feed.key(key)
    after, limit = number(request, "after", 0), number(request, "limit", 50)
    look = partial(history.following, feed.topic(parsed), viewer, after=after, limit=max(1, min(limit, MOST_EVENTS)))
    page = None if parsed is None else await sync_to_async(look)()
    if page is None:
        raise not_found(feed)
    metrics.polls.labels("events").inc()
    body = {
        "epoch": await sync_to_async(log.epoch)(),
        "events": [event_of(passage) for passage in page.passages],
        "next": page.following,
        "floor": page.floor,
    }
    return json_answer(msgspec.json.encode(body))


def event_of(passage: history.Passage) -> dict[str, Any]:
    """Return one version: its frame, and what a frame does not say."""
    entry = passage.entry
    changes = [
        {"field": change.field, **({"before": change.before} if change.was_seen else {}), "after": change.after}
        for change in entry.changes
    ]
    frame = encode(frame_for(passage.update, passage.audience)).encode()
    return {
        "version": entry.version,
        "at": passage.update.at,
        "kind": "deleted" if entry.is_deletion else "made" if entry.is_first else "changed",
        **{name: getattr(entry, name) for name in ("actor", "source", "request", "reason", "role")},
        "changes": changes,
        "frame": None if entry.is_deletion else msgspec.Raw(frame),
    }


@answering("POST")
async def ticket(request: HttpRequest, user: Any) -> HttpResponseBase:
    """A ticket for one socket, soon: for who has no cookie where his socket goes (PROTOCOL §6)."""
    value = await sync_to_async(tickets.issue)(await claim_in_request(request))
    body = {"ticket": value, "expires_in": int(conf.current().ticket_seconds)}
    return json_answer(msgspec.json.encode(body))


def json_answer(body: bytes) -> HttpResponse:
    answer = HttpResponse(body, content_type="application/json")
    answer["Cache-Control"] = "no-store"
    return answer
