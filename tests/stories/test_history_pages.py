"""The history of an order in a real browser: what people did stands there, filtered, dated, and it fits the window."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from playwright.async_api import expect

from accounts.models import User
from games.league_of_legends.ladder import Position
from games.league_of_legends.services import division_order_report
from orders.services import order_pause, order_reprice, order_resume, order_write_note
from realtime.actor import acting, of_user
from tests.people import Cast
from tests.stories.desk import DESKTOP, PHONE, Desk, desk, house, people, picture, server

__all__ = ["desk", "house", "people", "server"]
pytestmark = pytest.mark.browser


def played(people: Cast) -> None:
    """Have each of the people do something, as if from a page."""

    def does(person: User, service: Any, **arguments: Any) -> None:
        with acting(of_user(person.pk), source="http", request=f"7f3a-{person.pk}"):
            service(order_id=people.order.pk, by=person, **arguments)

    does(people.booster, division_order_report, reached=Position("Gold", 2, 3))
    does(people.client, order_write_note, note="Evenings after six, please; I play support.")
    does(people.client, order_pause)
    does(people.booster, order_resume)
    prices = {"actual_price": people.order.actual_price - 20, "booster_price": people.order.booster_price - 10}
    does(people.manager, order_reprice, reason="A discount for a regular client.", idempotency_key="once", **prices)
    does(people.booster, division_order_report, reached=Position("Platinum", 1, 1))


async def test_staff_reads_who_did_what_and_narrows_it(desk: Desk, people: Cast) -> None:
    await sync_to_async(played)(people)
    page = await desk.open(people.manager, f"/orders/{people.order.pk}/")
    await page.get_by_role("link", name="History").click()
    await expect(page.locator(".moment").first).to_contain_text("booster (booster)")
    await page.select_option("[name=field]", "actual_price")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator(".moment")).to_have_count(2)
    await expect(page.locator(".moment-reason")).to_have_text("A discount for a regular client.")
    await page.locator(".version").first.click()
    await expect(page.locator("h1")).to_contain_text("as of version")
    async with page.expect_download() as download:
        await page.goto(f"/orders/{people.order.pk}/history/?field=actual_price")
        await page.get_by_role("link", name="CSV").click()
    text = (await (await download.value).path()).read_text()
    assert text.count("A discount for a regular client.") > 1
    assert "The order is paused." not in text


WINDOWS: list[tuple[str, str, Any, str, str]] = [
    ("manager", "", DESKTOP, "light", "history-manager-1280"),
    ("client", "", PHONE, "dark", "history-client-390"),
    ("manager", "", PHONE, "light", ""),
    ("client", "", DESKTOP, "dark", ""),
    ("manager", "7/", DESKTOP, "light", ""),
    ("client", "7/", PHONE, "light", ""),
]


async def test_a_history_fits_its_windows(desk: Desk, people: Cast) -> None:
    await sync_to_async(played)(people)
    for who, path, size, theme, name in WINDOWS:
        address = f"/orders/{people.order.pk}/history/{path}"
        page = await desk.open(getattr(people, who), address, size=size, theme=theme)
        await expect(page.locator(".moment").first).to_be_visible()
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"], f"{address} is {wide} px wide for the {who}"
        if name:
            await picture(page, name)
        await desk.close(page)
