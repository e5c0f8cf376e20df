"""A browser in front of a server, and people who sit there; for the stories that look at pages."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from playwright.async_api import Browser, BrowserContext, Locator, Page, Request, WebSocket, expect

from accounts.models import User
from tests.engines import child_environment
from tests.people import Cast, cast
from tests.server import ROOT, Server, running, session_of
from tests.streams import ask

IMAGES = ROOT / "docs" / "images"
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
PATIENCE = 30_000  # ms
# No sandbox as root, and nothing that Chromium would like to tell the world.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# ``stayed`` goes with a reload; ``told`` keeps what the notices said, which go by themselves.
WITNESS = """
window.stayed = true;
window.told = [];
const region = document.getElementById("toasts");
new MutationObserver(() => told.push(region.textContent)).observe(region, { childList: true, subtree: true });
"""
expect.set_options(timeout=PATIENCE)


@dataclass
class Desk:
    """A browser in front of the server; whatever its pages complain about is collected, and what they open and ask."""

    browser: Browser
    server: Server
    complaints: list[str] = field(default_factory=list)
    profiles: list[BrowserContext] = field(default_factory=list)
    lines: dict[Page, list[WebSocket]] = field(default_factory=dict)
    said: dict[Page, list[dict[str, Any]]] = field(default_factory=dict)
    looks: dict[Page, int] = field(default_factory=dict)
    """How often a page has fetched its rows."""

    async def open(
        self, user: User, path: str, *, size: Any = DESKTOP, theme: Any = "light", script: bool = True
    ) -> Page:
        """Return a page of ``user``, in a browser profile of his own."""
        context: BrowserContext = await self.browser.new_context(
            viewport=size, color_scheme=theme, java_script_enabled=script, base_url=self.server.url
        )
        self.profiles.append(context)
        cookie = await sync_to_async(session_of)(user)
        await context.add_cookies([{"name": "sessionid", "value": cookie, "url": self.server.url}])
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self._listen(page)
        await page.goto(path)
        if script:
            await page.evaluate(WITNESS)
        return page

    async def close(self, page: Page) -> None:
        """Close a page with its profile."""
        self.profiles.remove(page.context)
        await page.context.close()

    def _listen(self, page: Page) -> None:
        self.lines[page], self.said[page], self.looks[page] = [], [], 0

        def connected(line: WebSocket) -> None:
            self.lines[page].append(line)
            line.on("framesent", lambda text: self.said[page].append(json.loads(text)))

        def asked(request: Request) -> None:
            self.looks[page] += "/orders/rows/" in request.url

        page.on("websocket", connected)
        page.on("request", asked)

    def has_one_line(self, *pages: Page) -> None:
        """Assert that each page has one socket open, to all orders."""
        for page in pages:
            standing = [line.url for line in self.lines[page] if not line.is_closed()]
            assert standing == [self.server.ws_url + "/ws/orders/"], standing


@asynccontextmanager
async def desk_at(server: Server, chrome: Browser) -> AsyncIterator[Desk]:
    """Put a browser in front of ``server``; at the end no page may have complained."""
    found = Desk(chrome, server)
    try:
        yield found
    finally:
        for context in found.profiles:
            await context.close()
    assert found.complaints == []


@pytest.fixture(scope="module")
def house(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all stories of a module; its hub ends with its last socket, so that nothing of one meets another."""
    environment = child_environment() | {"DJANGO_SETTINGS_MODULE": "tests.desk_settings"}
    with running(tmp_path_factory.mktemp("house"), environment, application="tests.resting:application") as found:
        yield found


@pytest.fixture
async def server(house: Server, transactional_db: None) -> AsyncIterator[Server]:
    """The server of the module, on a database that is empty again for each story; a story may stop and start it."""
    if house.child is None:
        house.start()
    yield house
    if house.child is not None:
        async with asyncio.timeout(PATIENCE / 1000):
            while (await ask(house, "/rests")).body != b"yes":
                await asyncio.sleep(0.05)


@pytest.fixture
async def desk(server: Server, chrome: Browser) -> AsyncIterator[Desk]:
    async with desk_at(server, chrome) as found:
        yield found


@pytest.fixture
async def people(server: Server) -> Cast:
    return await sync_to_async(cast)(
        client="client", booster="booster", manager="manager", other_client="carlos", other_booster="bela"
    )


def seen(page: Page, name: str) -> Locator:
    """Where a page shows a value of the order."""
    return page.locator(f'[data-field="{name}"]:not([data-kind="width"], [data-kind="mark"])').first


def live(page: Page) -> Locator:
    """Where a page says how fresh it is."""
    return page.locator("#live .live-text")


async def was_not_reloaded(*pages: Page) -> None:
    assert all([await page.evaluate("window.stayed === true") for page in pages])


async def picture(page: Page, name: str) -> None:
    if os.environ.get("UPDATE_SCREENSHOTS") == "1":
        Path(IMAGES).mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")
