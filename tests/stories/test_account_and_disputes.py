"""In a real browser: account data is on a page only while somebody looks, and a dispute is on every page at once."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from playwright.async_api import Page, expect

from orders.services import order_dispute, order_release
from tests.people import Cast
from tests.stories.desk import DESKTOP, PHONE, Desk, desk, house, live, people, picture, seen, server, was_not_reloaded
from vault.models import Reading
from vault.services import account_write

__all__ = ["desk", "house", "people", "server"]
pytestmark = pytest.mark.browser


async def give(people: Cast) -> None:
    await sync_to_async(account_write)(
        order_id=people.order.pk, login="carla", password=" hunter2 ", remarks="EU West", by=people.client
    )


async def opened(desk: Desk, user: Any, path: str, **options: Any) -> Page:
    page = await desk.open(user, path, **options)
    await expect(live(page)).to_have_text("Live")
    return page


@pytest.mark.parametrize("size", [DESKTOP, pytest.param(PHONE, marks=pytest.mark.long)], ids=["desktop", "phone"])
async def test_it_is_given_shown_and_gone_again(desk: Desk, people: Cast, size: Any) -> None:
    path = f"/orders/{people.order.pk}/"
    client, booster = (
        await opened(desk, people.client, path, size=size),
        await opened(desk, people.booster, path, size=size),
    )
    form = client.locator("form[data-verb=account_write]")
    await form.locator("[type=submit]").click()
    await expect(form.locator('[data-for="login"]')).to_contain_text("required")
    await form.locator("[name=login]").fill("carla")
    await form.locator("[name=password]").fill(" hunter2 ")
    await form.locator("[type=submit]").click()
    await expect(client.locator("form[data-show]")).to_be_visible()
    await expect(client.locator(".readings")).to_contain_text("Nobody yet.")
    assert "hunter2" not in await client.content()

    await booster.reload()
    await expect(booster.locator("#account-shown")).to_be_hidden()
    await booster.click("form[data-show] [type=submit]")
    await expect(booster.locator("[data-account=login]")).to_have_text("carla")
    assert await booster.locator("[data-account=password]").text_content() == " hunter2 "
    await picture(booster, f"order-account-booster-{size['width']}")
    await booster.click("[data-conceal]")
    await expect(booster.locator("#account-shown")).to_be_hidden()
    assert "hunter2" not in await booster.content()
    assert await sync_to_async(Reading.objects.count)() == 1

    await client.reload()
    await expect(client.locator(".readings")).to_contain_text("booster")
    await picture(client, f"order-account-client-{size['width']}")


async def test_who_loses_the_order_does_not_keep_it_on_the_screen(desk: Desk, people: Cast) -> None:
    await give(people)
    page = await opened(desk, people.booster, f"/orders/{people.order.pk}/")
    await page.click("form[data-show] [type=submit]")
    await expect(page.locator("[data-account=login]")).to_have_text("carla")
    await sync_to_async(order_release)(order_id=people.order.pk, by=people.manager)
    await expect(page.locator("#account-shown")).to_be_hidden()
    assert "hunter2" not in await page.content()
    await expect(page.locator("form[data-show]")).to_have_count(0)
    await was_not_reloaded(page)


async def test_without_the_script_it_is_shown_too(desk: Desk, people: Cast) -> None:
    await give(people)
    page = await desk.open(people.booster, f"/orders/{people.order.pk}/", script=False)
    await page.click("form[data-show] [type=submit]")
    await expect(page.locator("[data-account=login]")).to_have_text("carla")
    await page.click("[data-conceal]")
    await expect(page.locator("#account-shown")).to_be_hidden()


async def test_a_dispute_is_on_every_page_at_once_until_it_is_resolved(desk: Desk, people: Cast) -> None:
    path = f"/orders/{people.order.pk}/"
    client, booster = await opened(desk, people.client, path), await opened(desk, people.booster, path)
    manager, rows = await opened(desk, people.manager, path), await opened(desk, people.manager, "/")
    await client.click("details[data-verb=dispute] summary")
    await client.fill("form[data-verb=dispute] [name=reason]", "It went down.")
    await client.click("form[data-verb=dispute] [type=submit]")
    for page in (client, booster, manager, rows):
        await expect(seen(page, "disputed")).to_have_text("Disputed")
    await expect(client.locator(".dispute")).to_contain_text("It went down.")
    await expect(manager.locator(".dispute")).to_contain_text("It went down.")
    await expect(booster.locator(".dispute")).to_contain_text("payouts are held")
    assert "It went down." not in await booster.content()

    await manager.click("form[data-verb=finish] [type=submit]")
    await expect(booster.locator(".held")).not_to_contain_text(" 0.00")
    await picture(manager, "order-disputed-manager-1280")
    await manager.select_option("form[data-verb=resolve] [name=outcome]", "paid")
    await manager.fill("form[data-verb=resolve] [name=reason]", "The client was mistaken.")
    await manager.click("form[data-verb=resolve] [type=submit]")
    for page in (client, booster, manager, rows):
        await expect(seen(page, "disputed")).to_be_hidden()
    await expect(seen(booster, "last_payout")).to_contain_text("settled")
    await was_not_reloaded(client, booster, manager, rows)


async def test_what_is_being_typed_is_not_lost_to_a_change(desk: Desk, people: Cast) -> None:
    page = await opened(desk, people.client, f"/orders/{people.order.pk}/")
    await page.fill("form[data-verb=account_write] [name=login]", "carl")
    await sync_to_async(order_dispute)(order_id=people.order.pk, by=people.manager, reason="Asked for.")
    await expect(page.locator(".dispute")).to_be_visible()
    await expect(page.locator("form[data-verb=account_write] [name=login]")).to_have_value("carl")
