"""A real Daphne on the test database, and people who look through its sockets."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets
from asgiref.sync import sync_to_async
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.sessions.backends.db import SessionStore

from gameBoosterss.development.children import free_port, spawn, stop

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 30.0


class Server:
    """``daphne gameBoosterss.asgi:application`` as its own process; keeps its port over ``stop`` and ``start``."""

    daphne: Sequence[str | Path] = (sys.executable, "-m", "daphne")
    application = "gameBoosterss.asgi:application"
    tls: ssl.SSLContext | None = None
    """What believes its certificate; without one it is spoken to in the clear."""

    @property
    def cookie(self) -> str:
        """What the session's cookie is called there."""
        return "__Host-sessionid" if self.tls else "sessionid"

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.environment, self.log = dict(environment), log
        self.port = free_port()
        self.child: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> Sequence[str | Path]:
        return [*self.daphne, "-b", "127.0.0.1", "-p", str(self.port), self.application]

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.child is not None, "the server is down"
        return self.child.pid

    def start(self, patience: float = PATIENCE) -> None:
        """Start, and return when it answers."""
        with self.log.open("ab") as output:
            self.child = spawn(self.command, output=output, env=self.environment)
        until = time.monotonic() + patience
        while not self._answers():
            assert self.child.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < until, f"the server does not answer: {self.log.read_text()[-3000:]}"
            time.sleep(0.05)

    def _answers(self) -> bool:
        asked = urllib.request.Request(f"{self.url}/healthz", headers={"X-Forwarded-Proto": "https"})
        try:
            with urllib.request.urlopen(asked, timeout=10, context=self.tls) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.child is not None:
            stop(self.child, how, patience=10)
            self.child = None

    @asynccontextmanager
    async def watch(self, path: str, user: AbstractBaseUser | None) -> AsyncIterator["Watch"]:
        """Open a socket as ``user`` and keep what it gets."""
        session = await sync_to_async(session_of)(user) if user else ""
        async with self.watch_in(path, session) as watch:
            yield watch

    @asynccontextmanager
    async def watch_in(self, path: str, session: str) -> AsyncIterator["Watch"]:
        """Open a socket with the cookie of ``session``; '' sends none."""
        headers = {"Cookie": f"{self.cookie}={session}"} if session else {}
        async with websockets.connect(
            self.ws_url + path,
            additional_headers=headers,
            origin=websockets.Origin(self.url),
            compression=None,
            ssl=self.tls,
        ) as socket:
            yield Watch(socket)


class Uvicorn(Server):
    """The same application under uvicorn, with the options that ``docs/how-to/uvicorn.md`` asks for."""

    options: Sequence[str] = (
        *("--ws", "websockets", "--ws-max-size", "65536", "--ws-per-message-deflate", "false"),
        *("--no-access-log", "--no-proxy-headers", "--timeout-graceful-shutdown", "5"),
    )

    @property
    def command(self) -> Sequence[str | Path]:
        where = ("--host", "127.0.0.1", "--port", str(self.port))
        return [sys.executable, "-m", "uvicorn", *where, *self.options, self.application]


def unbroken(frames: Sequence[Mapping[str, Any]]) -> None:
    """Assert what PROTOCOL §3 calls continuity: each frame is newer, and names what it follows."""
    held: int | None = None
    for frame in frames:
        version = frame["version"]
        assert held is None or version > held, f"{version} after {held}"
        follows = frame["prev"] if "prev" in frame else version - 1
        assert follows == held, f"{version} follows {follows}, the socket had {held}"
        held = version


def state_of(frame: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bytes that all viewers of an audience share: all but ``prev``."""
    return {key: value for key, value in frame.items() if key != "prev"}


class Watch:
    """One viewer's socket. Every wait has a bound, and fails with what was seen."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []

    async def next(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """Return the next frame."""
        async with asyncio.timeout(timeout):
            self.frames.append(json.loads(await self.socket.recv()))
        return self.frames[-1]

    async def until(self, version: int, timeout: float = PATIENCE) -> dict[str, Any]:
        """Return the first frame of ``version`` or newer."""
        while True:
            frame = await self.next(timeout)
            if frame.get("version", -1) >= version:
                return frame

    async def closed(self, timeout: float = PATIENCE) -> int:
        """Return the code that the server closes with."""
        async with asyncio.timeout(timeout):
            while True:
                try:
                    self.frames.append(json.loads(await self.socket.recv()))
                except websockets.ConnectionClosed:
                    assert self.socket.close_code is not None
                    return self.socket.close_code


def session_of(user: AbstractBaseUser) -> str:
    """Return the cookie value of a new session of ``user``."""
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    return str(store.session_key)


@contextmanager
def running(
    folder: Path,
    environment: Mapping[str, str],
    gateway: type[Server] = Server,
    application: str = Server.application,
    **realtime: object,
) -> Iterator[Server]:
    """Run a server; ``realtime`` are keys of ``REALTIME`` that differ."""
    settings = {name.upper(): value for name, value in realtime.items()}
    extra = {"DJANGO_SETTINGS_MODULE": "tests.server_settings", "REALTIME_SETTINGS": json.dumps(settings)}
    server = gateway({**environment, **(extra if realtime else {})}, folder / "server.log")
    server.application = application
    server.start()
    try:
        yield server
    finally:
        server.stop()
        if os.environ.get("SHOW_SERVER_LOG"):
            print(server.log.read_text())


@pytest.fixture
def server(server_environment: dict[str, str], tmp_path: Path, transactional_db: None) -> Iterator[Server]:
    """A running server on this worker's test database."""
    with running(tmp_path, server_environment) as server:
        yield server
