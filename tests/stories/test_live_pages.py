"""One socket a page: lists move by their boards, pages go on after a break, and say how fresh they are.

A list looks at the server by itself every 45 s at the soonest; what these stories wait for has 30 s.
"""

import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.test import override_settings
from playwright.async_api import Browser, Locator, Page, expect

from orders.models import BaseOrder
from orders.services import (
    order_assign,
    order_claim,
    order_drop,
    order_pause,
    order_release,
    order_resume,
    order_write_note,
)
from tests.engines import own_valkey
from tests.people import Cast, cast, order_of
from tests.server import running
from tests.stories.desk import DESKTOP, PHONE, Desk, desk, desk_at, house, live, people, seen, server, was_not_reloaded

__all__ = ["desk", "house", "people", "server"]
pytestmark = pytest.mark.browser


def row(page: Page, order: BaseOrder, shelf: str = "") -> Locator:
    """Where a list shows ``order``; on the shelf of that name."""
    return page.locator(f'[data-list="{shelf}"] [data-order="{order.pk}"]' if shelf else f'[data-order="{order.pk}"]')


async def was_told(page: Page, words: str) -> None:
    """Wait until a notice of the page has said ``words``; it may be gone again."""
    await page.wait_for_function("words => told.some((text) => text.includes(words))", arg=words)


def count(page: Page, status: str) -> Locator:
    """Where the filter of a list says how many orders have ``status``."""
    return page.locator(f'.chips [data-status="{status}"] span')


async def opened(desk: Desk, user: Any, path: str = "/", **options: Any) -> Page:
    page = await desk.open(user, path, **options)
    await expect(live(page)).to_have_text("Live")
    return page


@pytest.mark.parametrize("size", [DESKTOP, pytest.param(PHONE, marks=pytest.mark.long)], ids=["desktop", "phone"])
async def test_a_booster_sees_a_new_order_at_once_and_loses_it_to_another(desk: Desk, people: Cast, size: Any) -> None:
    page = await opened(desk, people.booster, size=size)
    fresh = await sync_to_async(order_of)(people.other_client)
    await expect(row(page, fresh, "available").get_by_role("button", name="Claim")).to_be_visible()
    await sync_to_async(order_claim)(order_id=fresh.pk, booster=people.other_booster)
    await expect(row(page, fresh)).to_have_count(0)
    await was_told(page, "Somebody else has it now")
    assert people.other_booster.username not in await page.content()
    assert desk.looks[page] <= 4, "one look when the page is complete, and one for each change"
    desk.has_one_line(page)
    await was_not_reloaded(page)


async def test_an_order_that_is_assigned_moves_to_the_other_list(desk: Desk, people: Cast) -> None:
    fresh = await sync_to_async(order_of)(people.other_client)
    page = await opened(desk, people.booster)
    await sync_to_async(order_assign)(order_id=fresh.pk, booster=people.booster, by=people.manager)
    await expect(row(page, fresh, "mine")).to_be_visible()
    await expect(row(page, fresh, "available")).to_have_count(0)
    await was_told(page, "It is under “My orders” now.")
    await sync_to_async(order_release)(order_id=fresh.pk, by=people.manager)
    await expect(row(page, fresh, "available").get_by_role("button", name="Claim")).to_be_visible()
    await expect(row(page, fresh, "mine")).to_have_count(0)
    await was_not_reloaded(page)


async def test_a_managers_list_follows_a_reassignment(desk: Desk, people: Cast) -> None:
    everything = await opened(desk, people.manager)
    of_booster = await opened(desk, people.manager, f"/?booster={people.booster.username}")
    booster = await opened(desk, people.booster)

    @transaction.atomic  # one version: between two the booster could find it under “Available”, and be told that
    def reassign() -> None:
        order_release(order_id=people.order.pk, by=people.manager)
        order_assign(order_id=people.order.pk, booster=people.other_booster, by=people.manager)

    await sync_to_async(reassign)()
    await expect(row(everything, people.order).locator('[data-field="booster_username"]')).to_have_text("bela")
    for page in (of_booster, booster):
        await expect(row(page, people.order)).to_have_count(0)
    await was_told(of_booster, "does not belong to this list any more")
    await was_told(booster, "not yours any more")
    await expect(of_booster.locator(".empty")).to_be_visible()
    desk.has_one_line(everything, of_booster, booster)
    await was_not_reloaded(everything, of_booster, booster)


async def test_a_filtered_list_lets_go_of_what_fits_no_longer_and_counts_on(desk: Desk, people: Cast) -> None:
    page = await opened(desk, people.manager, "/?status=Continue")
    await expect(row(page, people.order)).to_be_visible()
    await sync_to_async(order_pause)(order_id=people.order.pk, by=people.client)
    await expect(row(page, people.order)).to_have_count(0)
    await was_told(page, "It is Paused now")
    await expect(count(page, "Paused")).to_have_text("1")
    # What the filter leaves out moves the numbers as well.
    fresh = await sync_to_async(order_of)(people.other_client)
    await expect(count(page, "New")).to_have_text("1")
    await expect(row(page, fresh)).to_have_count(0)
    await sync_to_async(order_resume)(order_id=people.order.pk, by=people.client)
    await expect(row(page, people.order)).to_be_visible()
    await was_not_reloaded(page)


async def test_rows_beyond_the_board_are_followed_one_by_one(desk: Desk, people: Cast) -> None:
    await sync_to_async(lambda: [order_of(people.client) for _ in range(61)])()
    page = await opened(desk, people.client, "/?mine-page=4")
    await expect(row(page, people.order)).to_be_visible()
    await sync_to_async(order_write_note)(order_id=people.order.pk, note="Page four.", by=people.client)
    await expect(row(page, people.order)).to_contain_text("The note was changed.")
    await expect(live(page)).to_have_text("Live")
    assert sum(frame.get("topic", "").startswith("order:") for frame in desk.said[page]) == 2
    # A newer order moves everything on by one: what came onto this page is followed too.
    await sync_to_async(order_of)(people.client)
    await expect(page.locator("[data-order]")).to_have_count(3)
    moved = await page.locator("[data-order]").first.get_attribute("data-order")
    await sync_to_async(order_drop)(order_id=int(moved or 0), by=people.client)
    await expect(page.locator(f'[data-order="{moved}"]')).to_contain_text("Dropped")
    desk.has_one_line(page)


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.long)], ids=["killed", "stopped"]
)
async def test_after_the_server_pages_come_back_and_show_what_happened(desk: Desk, people: Cast, how: int) -> None:
    fresh = await sync_to_async(order_of)(people.other_client)
    booster, manager = await opened(desk, people.booster), await opened(desk, people.manager, size=PHONE)
    client = await opened(desk, people.client, f"/orders/{people.order.pk}/")
    pages = (booster, manager, client)
    desk.server.stop(how)
    for page in pages:
        await expect(live(page)).to_have_text("Reconnecting")
    await expect(client.locator("#live .live-detail")).to_have_text(re.compile(r"in \d+ s"))
    await sync_to_async(order_claim)(order_id=fresh.pk, booster=people.other_booster)
    await sync_to_async(order_pause)(order_id=people.order.pk, by=people.booster)
    desk.server.start()
    for page in pages:
        await expect(live(page)).to_have_text("Live")
    await expect(row(booster, fresh)).to_have_count(0)
    await was_told(booster, "Somebody else has it now")
    await expect(row(manager, fresh)).to_contain_text(people.other_booster.username)
    for page in (booster, manager):
        await expect(row(page, people.order)).to_contain_text("Paused")
    await expect(seen(client, "status")).to_have_text("Paused")
    await was_told(client, "The order is paused.")
    for page in pages:
        held = [frame["have"]["versions"] for frame in desk.said[page] if "have" in frame]
        assert any(str(people.order.pk) in versions for versions in held), desk.said[page]
    desk.has_one_line(*pages)
    await was_not_reloaded(*pages)


@pytest.fixture
async def troubled(
    server_environment: dict[str, str], transactional_db: None, tmp_path: Path, chrome: Browser
) -> AsyncIterator[tuple[Desk, Any]]:
    """A desk whose server has a Valkey of its own, and that Valkey."""
    with own_valkey() as valkey:
        layers = {"default": dict(settings.CHANNEL_LAYERS["default"])}
        layers["default"]["CONFIG"] = layers["default"]["CONFIG"] | {"hosts": [valkey.url]}
        with (
            override_settings(CHANNEL_LAYERS=layers),
            running(tmp_path, server_environment | {"REDIS_URL": valkey.url}) as found,
        ):
            async with desk_at(found, chrome) as desk:
                yield desk, valkey


async def test_without_the_layer_pages_still_follow(troubled: tuple[Desk, Any]) -> None:
    desk, valkey = troubled
    people = await people_of(desk)
    booster = await opened(desk, people.booster)
    client = await opened(desk, people.client, f"/orders/{people.order.pk}/")
    valkey.stop()
    await sync_to_async(order_pause)(order_id=people.order.pk, by=people.booster)
    await expect(seen(client, "status")).to_have_text("Paused")
    await expect(row(booster, people.order)).to_contain_text("Paused")
    fresh = await sync_to_async(order_of)(people.other_client)
    await expect(row(booster, fresh, "available")).to_be_visible()
    await sync_to_async(order_claim)(order_id=fresh.pk, booster=people.other_booster)
    await expect(row(booster, fresh)).to_have_count(0)
    for page in (booster, client):
        await expect(live(page)).to_have_text("Live")
        assert len(desk.lines[page]) == 1, "the socket stayed"


async def people_of(desk: Desk) -> Cast:
    found: Cast = await sync_to_async(cast)()
    return found


@pytest.fixture
async def quick(
    server_environment: dict[str, str], transactional_db: None, tmp_path: Path, chrome: Browser
) -> AsyncIterator[Desk]:
    """A desk whose server has a quick heart."""
    with running(tmp_path, server_environment, heartbeat_seconds=1.0) as found:
        async with desk_at(found, chrome) as desk:
            yield desk


async def test_a_page_says_up_to_when_it_is_verified_and_a_silent_line_does_not_look_live(quick: Desk) -> None:
    people = await people_of(quick)
    page = await opened(quick, people.client, f"/orders/{people.order.pk}/")
    detail = page.locator("#live .live-detail")
    await expect(detail).to_contain_text("verified")
    before = await detail.inner_text()
    await expect(detail).not_to_have_text(before)
    await expect(page.locator("#live")).to_have_attribute("title", re.compile("Everything committed before"))
    quick.server.child.send_signal(signal.SIGSTOP)
    try:
        await expect(live(page)).to_have_text("Reconnecting")
    finally:
        quick.server.child.send_signal(signal.SIGCONT)
    await expect(live(page)).to_have_text("Live")
    await sync_to_async(order_pause)(order_id=people.order.pk, by=people.client)
    await expect(seen(page, "status")).to_have_text("Paused")
    quick.has_one_line(page)


@pytest.mark.parametrize("path", ["/?status=open", pytest.param("/orders/{}/", marks=pytest.mark.long)])
async def test_who_is_logged_out_is_told_and_comes_back_to_the_same_page(desk: Desk, people: Cast, path: str) -> None:
    address = path.format(people.order.pk)
    page = await opened(desk, people.booster, address)
    desk.server.stop(signal.SIGKILL)
    await sync_to_async(Session.objects.all().delete)()
    desk.server.start()
    await expect(live(page)).to_have_text("Ended: you are not logged in")
    assert await page.locator("form[data-act] button:enabled").count() == 0
    await page.locator("#live").get_by_role("link", name="Log in").click()
    await expect(page.locator("#login [name=next]")).to_have_value(address)
