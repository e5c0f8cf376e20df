"""Two people have one order open in a real browser; what one does is on the other's page, without a reload.

With UPDATE_SCREENSHOTS=1 the pictures in docs/images are taken anew.
"""

import re
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from playwright.async_api import expect

from accounts.models import User
from games.league_of_legends.ladder import Position
from games.league_of_legends.services import division_order_report
from orders.models import BaseOrder
from orders.services import order_assign, order_claim, order_pause, order_release, order_reprice
from tests.people import Cast, order_of
from tests.stories.desk import DESKTOP, PHONE, Desk, desk, house, live, people, picture, seen, server, was_not_reloaded

__all__ = ["desk", "house", "people", "server"]
pytestmark = pytest.mark.browser


async def test_what_one_does_is_on_the_others_page(desk: Desk, people: Cast) -> None:
    path = f"/orders/{people.order.pk}/"
    client, booster = await desk.open(people.client, path), await desk.open(people.booster, path)
    for page in (client, booster):
        await expect(live(page)).to_have_text("Live")

    await booster.select_option("[name=reached]", "Gold-2")
    await booster.select_option("[name=marks]", "3")
    await booster.click("form[data-verb=report] [type=submit]")
    await expect(seen(client, "reached_rank")).to_have_text("Gold III, 3 marks")
    await expect(seen(client, "progress")).not_to_have_text("0 %")
    await expect(client.locator(".toast")).to_contain_text("Reached Gold III, 3 marks.")
    await picture(client, "order-client-1280")
    # The form goes on from there, by itself.
    await expect(booster.locator("[name=marks]")).to_have_value("4")

    await booster.click("form[data-verb=pause] [type=submit]")
    await expect(seen(client, "status")).to_have_text("Paused")
    await expect(client.locator("form[data-verb=resume]")).to_be_visible()
    await expect(client.locator("form[data-verb=pause]")).to_have_count(0)

    await expect(client.locator("#part-ledger li")).to_have_count(1)
    manager = await desk.open(people.manager, path)
    await manager.click("details[data-verb=reprice] summary")
    await manager.fill("[name=actual_price]", "321.09")
    await manager.fill("[name=booster_price]", "210.98")
    await manager.click("form[data-verb=reprice] [type=submit]")
    await expect(manager.locator("form[data-verb=reprice] .refusal")).to_contain_text("The reason is missing")
    await expect(manager.locator("[name=actual_price]")).to_have_value("321.09")
    await manager.fill("form[data-verb=reprice] [name=reason]", "A longer way than it looked.")
    await manager.click("form[data-verb=reprice] [type=submit]")
    await expect(seen(client, "actual_price")).to_have_text("321.09")
    await expect(client.locator(".toast")).to_contain_text("→ 321.09")
    await expect(seen(booster, "booster_price")).to_have_text("210.98")
    await expect(client.locator("#part-ledger li")).to_have_count(2)
    assert "210.98" not in await client.content()
    assert "321.09" not in await booster.content()
    await was_not_reloaded(client, booster, manager)


async def test_prices_that_move_while_somebody_types_are_decided_about_with_one_more_click(
    desk: Desk, people: Cast
) -> None:
    page = await desk.open(people.manager, f"/orders/{people.order.pk}/")
    await expect(live(page)).to_have_text("Live")
    await page.click("details[data-verb=reprice] summary")
    for name, words in {"actual_price": "321.09", "booster_price": "210.98", "reason": "Harder."}.items():
        await page.fill(f"form[data-verb=reprice] [name={name}]", words)
    prices: Any = {"actual_price": Decimal(300), "booster_price": Decimal(200)}
    await sync_to_async(order_reprice)(
        order_id=people.order.pk, **prices, reason="More.", by=people.admin, idempotency_key="meanwhile"
    )
    await expect(seen(page, "actual_price")).to_have_text("300.00")
    await page.click("form[data-verb=reprice] [type=submit]")
    await expect(page.locator("form[data-verb=reprice] .refusal")).to_contain_text("is at 300.00 and 200.00 by now")
    await expect(page.locator("form[data-verb=reprice] [name=reason]")).to_have_value("Harder.")
    await expect(seen(page, "actual_price")).to_have_text("300.00")
    await page.click("form[data-verb=reprice] [type=submit]")
    await expect(seen(page, "actual_price")).to_have_text("321.09")
    await was_not_reloaded(page)


async def test_the_page_comes_back_after_the_server_does(desk: Desk, people: Cast) -> None:
    page = await desk.open(people.client, f"/orders/{people.order.pk}/")
    await expect(live(page)).to_have_text("Live")
    desk.server.stop()
    await expect(live(page)).to_have_text("Reconnecting")
    await sync_to_async(order_pause)(order_id=people.order.pk, by=people.booster)
    desk.server.start()
    await expect(live(page)).to_have_text("Live")
    await expect(seen(page, "status")).to_have_text("Paused")
    await expect(page.locator(".toast")).to_contain_text("The order is paused.")
    await expect(page.locator("form[data-verb=resume]")).to_be_visible()
    await was_not_reloaded(page)


async def test_what_somebody_is_writing_is_not_lost(desk: Desk, people: Cast) -> None:
    page = await desk.open(people.client, f"/orders/{people.order.pk}/")
    await expect(live(page)).to_have_text("Live")
    await page.click("details[data-verb=write_note] summary")
    await page.fill("[name=note]", "Half a sentence")
    await sync_to_async(order_pause)(order_id=people.order.pk, by=people.booster)
    await expect(page.locator("form[data-verb=resume]")).to_be_visible()
    await expect(page.locator("[name=note]")).to_have_value("Half a sentence")
    await page.type("[name=note]", " and the rest")
    await page.click("form[data-verb=write_note] [type=submit]")
    await expect(seen(page, "note")).to_have_text("Half a sentence and the rest")
    await was_not_reloaded(page)


async def test_who_loses_an_order_is_told_and_learns_no_more(desk: Desk, people: Cast) -> None:
    page = await desk.open(people.booster, f"/orders/{people.order.pk}/")
    await expect(live(page)).to_have_text("Live")
    await sync_to_async(order_release)(order_id=people.order.pk, by=people.manager)
    await expect(seen(page, "client_username")).to_have_text("Not for your role")
    await expect(page.locator("form[data-verb=claim]")).to_be_visible()
    await sync_to_async(order_assign)(order_id=people.order.pk, booster=people.other_booster, by=people.manager)
    await expect(live(page)).to_contain_text("no longer yours to see")
    await expect(page.locator("form[data-verb=claim] button")).to_be_disabled()
    assert people.other_booster.username not in await page.locator("#order").inner_text()
    await was_not_reloaded(page)


async def test_lists_move_by_themselves(desk: Desk, people: Cast) -> None:
    booster, manager = await desk.open(people.booster, "/"), await desk.open(people.manager, "/")
    await expect(live(booster)).to_have_text("Live")
    await sync_to_async(division_order_report)(order_id=people.order.pk, reached=Position("Gold", 4), by=people.booster)
    for page in (booster, manager):
        row = page.locator(f'[data-order="{people.order.pk}"]')
        await expect(row).to_contain_text("Reached Gold I.")
    fresh = await sync_to_async(order_of)(people.other_client)
    row = booster.locator(f'[data-list="available"] [data-order="{fresh.pk}"]')
    await expect(row).to_be_visible()
    await expect(manager.locator(f'[data-order="{fresh.pk}"]')).to_be_visible()
    await sync_to_async(order_claim)(order_id=fresh.pk, booster=people.other_booster)
    await expect(row).to_have_count(0)
    await expect(manager.locator(f'[data-order="{fresh.pk}"]')).to_contain_text(people.other_booster.username)
    await was_not_reloaded(booster, manager)


async def test_a_client_sees_the_price_while_he_chooses_and_pays_it(desk: Desk, people: Cast) -> None:
    page = await desk.open(people.client, "/orders/new/league-of-legends/")
    before = await page.locator("#price").inner_text()
    await page.select_option("[name=desired]", "Emerald-1")
    await expect(page.locator("#price")).not_to_have_text(before)
    await page.select_option("[name=desired]", "Iron-2")
    await expect(page.locator("#why")).to_contain_text("Choose a higher one")
    await page.select_option("[name=desired]", "Gold-3")
    await expect(page.locator("#why")).to_be_hidden()
    price = await page.locator("#price").inner_text()
    await page.get_by_role("button", name="Pay and order").click()
    await page.wait_for_url(re.compile(r"/orders/\d+/$"))
    await expect(seen(page, "actual_price")).to_have_text(price)


async def test_words_of_others_are_never_markup(desk: Desk, people: Cast) -> None:
    page = await desk.open(people.booster, f"/orders/{people.order.pk}/")
    await expect(live(page)).to_have_text("Live")
    client = await desk.open(people.client, f"/orders/{people.order.pk}/")
    words = "<img src=x onerror=window.hurt=1>"
    await client.click("details[data-verb=write_note] summary")
    await client.fill("[name=note]", words)
    await client.click("form[data-verb=write_note] [type=submit]")
    await expect(seen(page, "note")).to_have_text(words)
    assert await page.locator("#order img").count() == 0
    assert await page.evaluate("window.hurt") is None


async def test_without_the_script_everything_can_be_done(desk: Desk, people: Cast) -> None:
    page = await desk.open(people.booster, f"/orders/{people.order.pk}/", script=False)
    await page.select_option("[name=reached]", "Gold-3")
    await page.click("form[data-verb=report] [type=submit]")
    await expect(seen(page, "reached_rank")).to_contain_text("Gold II")
    await page.click("form[data-verb=pause] [type=submit]")
    await expect(seen(page, "status")).to_have_text("Paused")


async def test_a_phone_never_scrolls_sideways(desk: Desk, people: Cast) -> None:
    for user in (people.client, people.booster, people.manager):
        for path in ("/", f"/orders/{people.order.pk}/"):
            page = await desk.open(user, path, size=PHONE)
            await expect(live(page)).to_have_text("Live")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= PHONE["width"], f"{path} is {wide} px wide for the {user.role}"
            await desk.close(page)


WINDOWS: dict[str, tuple[str, str, Any, str]] = {
    "orders-manager-1280": ("manager", "/", DESKTOP, "dark"),
    "orders-booster-1280": ("booster", "/", DESKTOP, "light"),
    "orders-booster-390": ("booster", "/", PHONE, "light"),
    "order-booster-1280": ("booster", "/orders/{}/", DESKTOP, "light"),
    "order-client-390": ("client", "/orders/{}/", PHONE, "dark"),
    "order-new-1280": ("client", "/orders/new/league-of-legends/", DESKTOP, "light"),
}


async def test_the_demo_fits_its_windows(desk: Desk, settings: Any) -> None:
    settings.DEBUG = True
    await sync_to_async(call_command)("demo_data", verbosity=0)
    order = await BaseOrder.objects.filter(client__username="client").order_by("pk").afirst()
    assert order is not None
    for name, (who, path, size, theme) in WINDOWS.items():
        user = await User.objects.aget(username=who)
        page = await desk.open(user, path.format(order.pk), size=size, theme=theme)
        if "new" not in path:
            await expect(live(page)).to_have_text("Live")
        assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
        await picture(page, name)
        await desk.close(page)
