"""Reading over plain HTTP (PROTOCOL §4): event streams, states with a tag, boards by polling, history.

One set of addresses for each registered feed; ``urls`` names them. What is missing and what is not for the viewer is
refused with the same bytes at the same time. Nothing here writes.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial, wraps
from typing import Any

import msgspec
from asgiref.sync import sync_to_async
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.utils.http import parse_etags

from . import conf, history, log, metrics, tickets
from .address import address_of
from .feeds import Feed, Viewer, feed_named
from .gateways import threads
from .gateways.polling import Answer, RequestReader, Seen, Waiter, seen, still
from .gateways.sse import Cursor, Stream
from .hub import Hub
from .identity import Claim, claim_of
from .masking import frame_for
from .protocol.frames import encode
from .protocol.messages import Error, Subscribe
from .quotas import Over, Place, Quotas
from .reader import Reader

View = Callable[..., Awaitable[HttpResponseBase]]

MOST_EVENTS = history.MOST


class Refusal(Exception):
    """Answered as JSON: ``{"error": {"code", "message"}}``. ``retry_after``: seconds until trying again may help."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after = status, code, retry_after


async def claim_in_request(request: HttpRequest) -> Claim:
    """Return on whose account, and on which session or token, a request rests."""
    token: Claim | None = getattr(request, "claim", None)
    user = await request.auser()
    claim = token or claim_of(user, getattr(request, "session", None))
    if claim is None or not user.is_authenticated:  # what a token claims need not hold any more
        raise nobody()
    return claim


def nobody() -> Refusal:
    return Refusal(401, "not_authenticated", "Log in and send the session cookie, or send a bearer token.")


def at_once(request: HttpRequest) -> bool:
    """What is answered at once takes no place."""
    return False


def lasting(request: HttpRequest) -> bool:
    """A stream takes a place for as long as it lasts, like a socket."""
    return has_loop(request)


def waiting(request: HttpRequest) -> bool:
    """So does a poll that waits."""
    return has_loop(request) and request.GET.get("wait", "0") != "0"


def too_much(over: Over) -> Refusal:
    whose = "You have" if over.limit == "sockets" else "Your address has"
    return Refusal(429, "too_many", f"{whose} too much open at once, or opens too much.", retry_after=over.retry_after)


async def arrived(request: HttpRequest) -> Place:
    """Return a place among the strangers of the request's address, before anything is read of the database."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":  # a page of another site is not to use up an address
        raise Refusal(403, "foreign", "Pages of another site may not ask for this.")
    found = await Quotas.current().arrive(address_of(request))
    if isinstance(found, Over):
        raise too_much(found)
    if Quotas.current().is_crowded():
        found.leave()
        raise Refusal(503, "overloaded", "This server has more than it can do. Try again.", retry_after=5)
    return found


@asynccontextmanager
async def placed(request: Any, takes_place: bool) -> AsyncIterator[None]:
    """Have ``request`` take a place, of its address first and then of its user. A stream takes it over."""
    request.place = await arrived(request) if takes_place else None
    try:
        claim = await claim_in_request(request)
        if request.place is not None:
            over = await request.place.belong(str((await request.auser()).pk), claim)
            if over is not None:
                raise too_much(over)
        yield
    finally:
        if request.place is not None:
            request.place.leave()


def answering(*methods: str, takes_place: Callable[[HttpRequest], bool] = at_once) -> Callable[[View], View]:
    """Make a view of ``(request, user, …)``: its methods, somebody who is logged in, its refusals, their time (I20)."""

    def decorate(view: View) -> View:
        @wraps(view)
        async def answered(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            started = time.monotonic()
            try:
                if request.method not in methods:
                    raise Refusal(405, "wrong_method", f"Use {' or '.join(methods)}.")
                async with placed(request, takes_place(request)):
                    return await view(request, await request.auser(), **kwargs)
            except Refusal as refusal:
                answer = refused(refusal)
            except DatabaseError:
                reason = "This cannot be read now. Try again in a second."
                answer = refused(Refusal(503, "unavailable", reason, retry_after=1))
            if answer.status_code == 405:
                answer["Allow"] = ", ".join(methods)
            await asyncio.sleep(max(0.0, started + conf.current().refusal_seconds - time.monotonic()))
            return answer

        return answered

    return decorate


def reading(*methods: str, takes_place: Callable[[HttpRequest], bool] = at_once) -> Callable[[View], View]:
    """Make a view of ``(request, feed, viewer, …)``."""

    def decorate(view: View) -> View:
        @answering(*methods, takes_place=takes_place)
        @wraps(view)
        async def read(request: HttpRequest, user: Any, *, feed_name: str, **kwargs: Any) -> HttpResponseBase:
            feed = feed_named(feed_name)
            return await view(request, feed, feed.viewer(user), **kwargs)

        return read

    return decorate


def refused(refusal: Refusal) -> HttpResponse:
    metrics.refused.labels(str(refusal.status)).inc()
    answer = JsonResponse({"error": {"code": refusal.code, "message": str(refusal)}}, status=refusal.status)
    answer["Cache-Control"] = "no-store"
    if refusal.retry_after:
        answer["Retry-After"] = str(math.ceil(refusal.retry_after))
    return answer


def not_found(feed: type[Feed]) -> Refusal:
    return Refusal(404, "not_found", f"There is no such {feed.name} for you.")


def refusal_of(feed: type[Feed], error: Error) -> Refusal:
    """Return the HTTP answer to an error of the sync dialect."""
    if error.code == "not_found":
        return not_found(feed)
    status = 404 if error.code == "forbidden" else 400
    return Refusal(status, error.code, f"{error.message[:1].upper()}{error.message[1:]}.")


def has_loop(request: HttpRequest) -> bool:
    """Return whether the request came over ASGI: then its event loop outlives it."""
    return hasattr(request, "scope")


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
    held = parse_etags(request.headers.get("If-None-Match", ""))
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


def board_topic(feed: type[Feed], name: str) -> str:
    return name if ":" in name else f"{feed.plural}:{name}"


def number(request: HttpRequest, name: str, default: int) -> int:
    """Return a whole number, 0 or more, of the query."""
    text = request.GET.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Refusal(400, "bad_parameter", f"`{name}` is a whole number, 0 or more.")
    return int(text)


def decoded(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Refusal(400, "bad_json", f"This is no JSON that is understood here: {error}.") from None


def subscribe_of(asked: Any) -> Subscribe:
    """Return what is asked for, checked as a frame of the sync dialect is."""
    if not isinstance(asked, dict):
        raise Refusal(400, "bad_request", "Send a JSON object with a `topic`.")
    try:
        return msgspec.convert({**asked, "type": "subscribe", "id": "poll"}, Subscribe)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Refusal(400, "bad_request", f"{error}.") from None
