"""The pages as production serves them: DEBUG off, collected files, and a policy that lets nothing inline run."""

import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from asgiref.sync import sync_to_async
from cryptography.fernet import Fernet
from django.test import Client, override_settings
from playwright.async_api import Browser, ConsoleMessage, expect

from orders.services import order_pause, order_write_note
from tests.engines import child_environment
from tests.people import Cast, cast
from tests.server import ROOT, Server, running, session_of
from tests.stories.desk import PATIENCE, live, seen


@pytest.fixture(scope="module")
def production_server(db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("production")
    environment = child_environment() | {
        "DEBUG": "0",
        "ACCOUNT_KEYS": f"a:{Fernet.generate_key().decode()}",
        "HTTPS": "0",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DJANGO_SETTINGS_MODULE": "tests.production_settings",
        "STATIC_FOLDER": str(folder / "static"),
    }
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"], cwd=ROOT, env=environment, check=True
    )
    with running(folder, environment) as server:
        yield server


def fetched(url: str, session: str = "") -> tuple[str, str]:
    """Return the text behind ``url``, and how long it may be kept."""
    request = urllib.request.Request(url, headers={"Cookie": f"sessionid={session}"} if session else {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode(), answer.headers["Cache-Control"]


def modules_of(url: str, session: str) -> dict[str, str]:
    """Return every module that the page loads, directly or by an import, with its cache rule."""
    page, _ = fetched(url, session)
    waiting = [urljoin(url, src) for src in re.findall(r'<script type="module" src="([^"]+)"', page)]
    found: dict[str, str] = {}
    while waiting:
        module = waiting.pop()
        if module not in found:
            text, found[module] = fetched(module)
            waiting += [urljoin(module, name) for name in re.findall(r'^import [^"]*"([^"]+)";', text, re.MULTILINE)]
    return found


def test_a_module_imports_others_by_the_names_of_this_release(production_server: Server) -> None:
    people = cast()
    session = session_of(people.client)
    for path, least in (("/", 12), (f"/orders/{people.order.pk}/", 12), ("/orders/new/league-of-legends/", 2)):
        modules = modules_of(production_server.url + path, session)
        assert len(modules) >= least
        for url, kept in modules.items():
            assert re.search(r"\.[0-9a-f]{12}\.js$", url), f"{url} has no hash"
            assert "immutable" in kept


@pytest.mark.browser
async def test_under_the_policy_the_page_is_alive(production_server: Server, chrome: Browser) -> None:
    people: Cast = await sync_to_async(cast)()
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    async with await chrome.new_context(base_url=production_server.url) as context:
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        cookie = await sync_to_async(session_of)(people.client)
        await context.add_cookies([{"name": "sessionid", "value": cookie, "url": production_server.url}])
        await page.goto(f"/orders/{people.order.pk}/")
        await expect(live(page)).to_have_text("Live")
        await sync_to_async(order_write_note)(
            order_id=people.order.pk, note="<script>document.title = 1</script>", by=people.client
        )
        await expect(seen(page, "note")).to_have_text("<script>document.title = 1</script>")
        assert await page.locator(".ladder-done").get_attribute("width") == "0%"
        await page.goto("/")
        await expect(live(page)).to_have_text("Live")
        await sync_to_async(order_pause)(order_id=people.order.pk, by=people.client)
        await expect(page.locator('.chips [data-status="Paused"] span')).to_have_text("1")
    assert complaints == []


PAGES = (
    "/accounts/login/", "/", "/orders/new/league-of-legends/", "/orders/999999/", "/orders/{}/", "/orders/{}/history/",
    "/orders/rows/", "/admin/", "/admin/orders/baseorder/", "/admin/vault/reading/", "/healthz", "/nowhere/",
    "/api/openapi.json", "/api/me", "/api/orders/{}", "/api/orders/{}/state", "/api/orders/999999/state",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_has_the_headers_that_keep_others_out(db: None, path: str) -> None:
    people = cast()
    admin = people.admin
    admin.is_superuser = admin.is_staff = True
    admin.save()
    browser = Client()
    if path != "/accounts/login/":
        browser.force_login(admin)
    secure = {"SECURE_SSL_REDIRECT": True, "SECURE_HSTS_SECONDS": 60, "SECURE_HSTS_INCLUDE_SUBDOMAINS": True}
    with override_settings(DEBUG=False, **secure):
        plain = browser.get(path.format(people.order.pk))
        headers = browser.get(path.format(people.order.pk), secure=True).headers
    assert (plain.status_code, plain["Location"][:8]) == (301, "https://")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Strict-Transport-Security"] == "max-age=60; includeSubDomains"


def test_a_foreign_host_gets_the_headers_too(db: None) -> None:
    with override_settings(DEBUG=False, SECURE_SSL_REDIRECT=True):
        answer = Client().get("/", headers={"Host": "evil.example.org"})
    assert answer.status_code == 400
    assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"
    assert "camera=()" in answer["Permissions-Policy"]


def test_cookies_go_over_https_only_and_to_no_script_that_needs_none(db: None) -> None:
    people = cast()
    secure = {"SESSION_COOKIE_SECURE": True, "CSRF_COOKIE_SECURE": True}
    with override_settings(**secure):
        browser = Client()
        browser.get("/accounts/login/", secure=True)
        answer = browser.post("/accounts/login/", {"username": people.client.username, "password": "demo"}, secure=True)
    assert answer.status_code == 302
    session, csrf = (answer.cookies[name] for name in ("sessionid", "csrftoken"))
    assert (session["secure"], session["httponly"], session["samesite"]) == (True, True, "Lax")
    assert (csrf["secure"], csrf["samesite"]) == (True, "Lax")
