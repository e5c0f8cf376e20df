"""The page for one's own password, and what a browser still has after a log-out."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import Client
from playwright.async_api import expect

from tests.people import cast
from tests.server import Server
from tests.stories.desk import DESKTOP, PHONE, Desk, desk, house, live, server

__all__ = ["desk", "house", "server"]
pytestmark = pytest.mark.browser
NEW = "correct horse battery"


@pytest.mark.parametrize(
    ("size", "theme"),
    [pytest.param(DESKTOP, "light", marks=pytest.mark.long), (PHONE, "dark")],
    ids=["1280", "390"],
)
async def test_another_password_ends_every_other_page_and_its_socket(desk: Desk, size: Any, theme: str) -> None:
    people = await sync_to_async(cast)()
    people.client.password = PBKDF2PasswordHasher().encode("old one 4711", "salt")  # the server knows no faster one
    await people.client.asave()
    elsewhere = await desk.open(people.client, f"/orders/{people.order.pk}/")
    await expect(live(elsewhere)).to_have_text("Live")
    page = await desk.open(people.client, "/", size=size, theme=theme)
    await page.get_by_role("link", name="change your password").click()
    await expect(page.get_by_role("heading")).to_have_text("Change your password")
    await page.get_by_label("Old password").fill("wrong")
    await page.get_by_label("New password", exact=True).fill(NEW)
    await page.get_by_label("New password confirmation").fill(NEW)
    await page.get_by_role("button", name="Change it").click()
    await expect(page.get_by_role("alert")).to_contain_text("entered incorrectly")
    assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    await page.get_by_label("Old password").fill("old one 4711")
    await page.get_by_label("New password", exact=True).fill(NEW)
    await page.get_by_label("New password confirmation").fill(NEW)
    await page.get_by_role("button", name="Change it").click()
    await expect(page.get_by_role("alert")).to_contain_text("You are logged out everywhere else.")
    await expect(live(page)).to_have_text("Live")
    await expect(elsewhere.get_by_role("link", name="Log in")).to_be_visible()
    await elsewhere.reload()
    assert "/accounts/login/" in elsewhere.url


async def test_after_the_log_out_the_back_button_shows_nothing(desk: Desk) -> None:
    people = await sync_to_async(cast)()
    page = await desk.open(people.client, f"/orders/{people.order.pk}/")
    await page.get_by_role("button", name="Log out").click()
    await page.wait_for_url("**/accounts/login/")
    await page.go_back()
    await page.wait_for_url("**/accounts/login/?next=**")
    assert people.order.title not in await page.content()


async def test_a_socket_of_another_session_is_closed_with_4405(standing_server: Server) -> None:
    people = await sync_to_async(cast)()
    await sync_to_async(people.client.set_password)("old one 4711")
    await people.client.asave()
    browser = Client()
    await sync_to_async(browser.force_login)(people.client)
    async with standing_server.watch(f"/ws/orders/{people.order.pk}/", people.client) as elsewhere:
        await elsewhere.next()
        words = {"old_password": "old one 4711", "new_password1": NEW, "new_password2": NEW}
        answer = await sync_to_async(browser.post)("/accounts/password/", words)
        assert answer.status_code == 302
        assert await elsewhere.closed() == 4405
