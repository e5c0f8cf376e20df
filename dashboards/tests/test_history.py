"""The history of an order, on the page and as a file: strangers first, then what each role reads."""

import csv
import json
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.test import AsyncClient

from accounts.models import Role, User
from dashboards.tests.conftest import PAYOUT, PRICE
from dashboards.tests.test_who_opens_which_page import without_token
from games.league_of_legends.ladder import Position
from games.league_of_legends.models import LeagueOfLegendsDivisionOrder
from games.league_of_legends.services import division_order_report
from orders.models import BaseOrder, Decision, Post
from orders.services import order_assign, order_drop, order_pause, order_release, order_reprice, order_write_note
from realtime.feeds import Viewer
from realtime.models import Event, Stream
from tests.people import cast
from wallet.models import Transaction

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous"),
]
PAGES = ("history/", "history.csv", "history.json", "history/1/")


@pytest.fixture
def people(transactional_db):
    """A cast whose order was repriced: version 1 placed, 2 claimed, 3 repriced. Here each step is a commit."""
    found = cast(client="the-client", booster="the-booster", manager="the-manager", other_booster="the-successor")
    order_reprice(
        order_id=found.order.pk,
        actual_price=PRICE,
        booster_price=PAYOUT,
        reason="A round price.",
        by=found.manager,
        idempotency_key="a round price",
    )
    return found


def body(response):
    return b"".join(response).decode()


def page(browser_of, user, people, path="history/"):
    return body(browser_of(user).get(f"/orders/{people.order.pk}/{path}"))


def rows(browser_of, user, people, query=""):
    return list(csv.DictReader(StringIO(page(browser_of, user, people, f"history.csv{query}"))))


def entries(browser_of, user, people, query=""):
    return json.loads(page(browser_of, user, people, f"history.json{query}"))["entries"]


def versions(browser_of, user, people, query=""):
    return [entry["version"] for entry in entries(browser_of, user, people, query)]


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_gets_the_404_of_a_missing_order(people, browser_of, path):
    missing = BaseOrder.objects.order_by("-pk")[0].pk + 1
    for stranger in (people.other_client, people.other_booster):
        browser = browser_of(stranger)
        foreign, nothing = (browser.get(f"/orders/{key}/{path}") for key in (people.order.pk, missing))
        assert (foreign.status_code, nothing.status_code) == (404, 404)
        assert without_token(foreign) == without_token(nothing).replace(
            f"order {missing} ", f"order {people.order.pk} "
        )
    anonymous = browser_of(None).get(f"/orders/{people.order.pk}/{path}")
    assert anonymous["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("key", ["-1", "1e3", "0", "٣", str(2**63), "x"])
@pytest.mark.parametrize("path", ["{}/history/", "{}/history.csv", "{order}/history/{}/"])
def test_what_is_no_key_and_no_version_is_missing(people, browser_of, key, path):
    address = "/orders/" + path.format(key, order=people.order.pk)
    assert browser_of(people.manager).get(address).status_code == 404


@pytest.mark.parametrize("path", PAGES)
def test_each_reads_the_prices_that_are_his(people, browser_of, path):
    address = path.replace("/1/", "/3/")
    seen = {who: page(browser_of, getattr(people, who), people, address) for who in ("client", "booster", "manager")}
    assert [str(PRICE) in seen[who] for who in seen] == [True, False, True]
    assert [str(PAYOUT) in seen[who] for who in seen] == [False, True, True]


@pytest.mark.parametrize("path", PAGES)
def test_only_staff_reads_who_and_why(people, browser_of, path):
    order_reprice(
        order_id=people.order.pk,
        actual_price=PRICE + 1,
        booster_price=PAYOUT,
        reason="Once more.",
        by=people.manager,
        idempotency_key="once more",
    )
    browser_of(people.manager).post(f"/orders/{people.order.pk}/pause/")
    address = path.replace("/1/", "/5/")
    for who in ("client", "booster"):
        seen = page(browser_of, getattr(people, who), people, address)
        assert "A round price." not in seen
        assert "Once more." not in seen
        assert people.manager.username not in seen
        assert f"user:{people.manager.pk}" not in seen
    assert people.manager.username in page(browser_of, people.admin, people, address)
    assert [entry["reason"] for entry in entries(browser_of, people.admin, people)][1:3] == [
        "Once more.",
        "A round price.",
    ]


def test_who_acted_himself_reads_you(people, browser_of):
    browser_of(people.booster).post(f"/orders/{people.order.pk}/pause/")
    assert ">You<" in page(browser_of, people.booster, people)
    assert ">You<" not in page(browser_of, people.client, people)


def test_a_booster_reads_from_his_assignment_on_and_nothing_of_before(people, browser_of):
    assert versions(browser_of, people.client, people) == [3, 2, 1]
    assert versions(browser_of, people.booster, people) == [3, 2]
    given = entries(browser_of, people.booster, people)[-1]
    assert "before" not in {key for change in given["changes"] for key in change}
    assert browser_of(people.booster).get(f"/orders/{people.order.pk}/history/1/").status_code == 404


def test_a_booster_who_lost_the_order_and_got_it_back_reads_what_was_his(people, browser_of):
    order_release(order_id=people.order.pk, by=people.manager)
    order_assign(order_id=people.order.pk, booster=people.other_booster, by=people.manager)
    order_write_note(order_id=people.order.pk, note="For the successor.", by=people.client)
    assert browser_of(people.booster).get(f"/orders/{people.order.pk}/history/").status_code == 404
    order_release(order_id=people.order.pk, by=people.manager)
    order_assign(order_id=people.order.pk, booster=people.booster, by=people.manager)
    order_pause(order_id=people.order.pk, by=people.booster)
    assert versions(browser_of, people.manager, people) == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert versions(browser_of, people.booster, people) == [9, 8, 3, 2]
    for path in PAGES[:3]:
        assert people.other_booster.username not in page(browser_of, people.booster, people, path)


def test_gates_are_in_no_history(people, browser_of):
    everything = entries(browser_of, people.admin, people)
    assert not any("client_id" in change["field"] for entry in everything for change in entry["changes"])
    assert rows(browser_of, people.admin, people, "?field=client_id") == rows(browser_of, people.admin, people)


def test_filters_narrow_the_page_and_the_files(people, browser_of):
    browser_of(people.manager).post(f"/orders/{people.order.pk}/pause/")
    assert versions(browser_of, people.manager, people, "?field=booster_price") == [3, 1]
    assert versions(browser_of, people.manager, people, f"?actor=user:{people.manager.pk}") == [4]
    assert versions(browser_of, people.manager, people, "?source=http") == [4]
    assert versions(browser_of, people.manager, people, "?until=2001-01-01") == []
    assert versions(browser_of, people.manager, people, "?since=2001-01-01&until=9999-12-31") == [4, 3, 2, 1]
    assert {row["version"] for row in rows(browser_of, people.manager, people, "?first=2&last=3")} == {"2", "3"}
    seen = page(browser_of, people.manager, people, "history/?field=booster_price")
    assert 'data-version="3"' in seen
    assert 'data-version="4"' not in seen


def test_a_filter_is_no_way_to_ask_for_what_is_hidden(people, browser_of):
    everything = versions(browser_of, people.client, people)
    assert versions(browser_of, people.client, people, "?field=booster_price") == everything
    assert versions(browser_of, people.client, people, f"?actor=user:{people.manager.pk}") == everything
    assert "Payout" not in page(browser_of, people.client, people)


def test_pages_lead_to_older_ones(people, browser_of):
    for number in range(30):
        order_write_note(order_id=people.order.pk, note=f"Note {number}.", by=people.client)
    first = page(browser_of, people.client, people)
    assert 'data-version="33"' in first
    assert 'data-version="8"' not in first
    assert "?below=9" in first
    second = page(browser_of, people.client, people, "history/?below=9")
    assert 'data-version="8"' in second
    assert 'data-version="1"' in second
    assert "Older" not in second


def test_the_order_page_leads_to_its_history(people, browser_of):
    seen = page(browser_of, people.client, people, "")
    assert f'href="/orders/{people.order.pk}/history/"' in seen


def test_the_order_as_of_a_version_is_what_it_was(people, browser_of):
    division_order_report(order_id=people.order.pk, reached=Position("Gold", 2, 3), by=people.booster)
    then = page(browser_of, people.client, people, "history/3/")
    assert "<dd>Silver IV</dd>" in then
    assert "<dd>0 %</dd>" in then
    assert "Gold III, 3 marks" not in then
    assert "Gold III, 3 marks" in page(browser_of, people.client, people, "history/4/")
    assert browser_of(people.client).get(f"/orders/{people.order.pk}/history/5/").status_code == 404


def test_a_trimmed_version_is_410_and_the_page_says_what_is_left(people, browser_of):
    Event.objects.filter(version__lt=3).delete()
    assert browser_of(people.manager).get(f"/orders/{people.order.pk}/history/1/").status_code == 410
    assert browser_of(people.other_client).get(f"/orders/{people.order.pk}/history/1/").status_code == 404
    assert "Versions before 3 are not kept any more." in page(browser_of, people.manager, people)


def test_staff_reads_the_history_of_an_order_that_was_deleted(people, browser_of):
    order_drop(order_id=people.order.pk, by=people.manager, reason="A mistake.")
    for model in (Decision, Post, LeagueOfLegendsDivisionOrder):
        model.objects.filter(order=people.order).delete()
    Transaction.objects.filter(order=people.order)._raw_delete("default")
    BaseOrder.objects.filter(pk=people.order.pk).delete()
    seen = page(browser_of, people.admin, people)
    assert "The order was deleted." in seen
    assert "A mistake." in seen
    last = max(versions(browser_of, people.admin, people))
    assert browser_of(people.manager).get(f"/orders/{people.order.pk}/history/{last}/").status_code == 200
    for who in (people.client, people.booster):
        for path in PAGES:
            assert browser_of(who).get(f"/orders/{people.order.pk}/{path}").status_code == 404


def test_a_table_runs_nothing_in_a_spreadsheet(people, browser_of):
    words = {"source": "@SUM(1)", "reason": "+1", "request": "-1", "role": "\tx"}
    Event.objects.filter(version=3).update(actor="=cmd", context=words)
    order_write_note(order_id=people.order.pk, note="=HYPERLINK(1)", by=people.client)
    cells = [cell for row in rows(browser_of, people.admin, people) for cell in row.values()]
    assert {"'=cmd", "'@SUM(1)", "'+1", "'-1", "'\tx", "'=HYPERLINK(1)"} <= set(cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_what_people_write_is_text_and_no_markup(people, browser_of):
    order_write_note(order_id=people.order.pk, note="<img src=x>", by=people.client)
    assert "<img" not in page(browser_of, people.manager, people)
    assert "<img" not in page(browser_of, people.manager, people, "history/4/")


async def test_a_file_is_streamed_under_asgi(transactional_db):
    people = await sync_to_async(cast)()
    browser = AsyncClient()
    await browser.aforce_login(people.client)
    response: Any = await browser.get(f"/orders/{people.order.pk}/history.json")
    assert response.is_async
    found = json.loads(b"".join([part async for part in response]))
    assert [entry["version"] for entry in found["entries"]] == [2, 1]
    assert response["Content-Disposition"] == f'attachment; filename="order-{people.order.pk}-history.json"'


def test_the_stream_ends_when_the_order_is_lost_meanwhile(people, monkeypatch):
    from dashboards.timeline import CutOff, batches_for, reader_for
    from realtime import history

    monkeypatch.setattr(history, "MOST", 1)
    reader = reader_for(people.booster, str(people.order.pk))
    batches = batches_for(reader, history.ALL)
    assert [entry.version for entry in next(batches)[0]] == [3]
    order_release(order_id=people.order.pk, by=people.manager)
    order_assign(order_id=people.order.pk, booster=people.other_booster, by=people.manager)
    with pytest.raises(CutOff, match="versions below 3 are missing"):
        next(batches)
    assert Stream.objects.get(topic=reader.topic).version == 5
    assert history.timeline(reader.topic, Viewer(people.booster.pk, "booster")) is None


def disabled(person):
    User.objects.filter(pk=person.pk).update(is_active=False)


def password_changed(person):
    User.objects.filter(pk=person.pk).update(password="another")


def demoted(person):
    User.objects.filter(pk=person.pk).update(role=Role.CLIENT, is_staff=False)


def session_deleted(person):
    Session.objects.all().delete()


@pytest.mark.parametrize("suffix", ["csv", "json"])
@pytest.mark.parametrize("ending", [disabled, password_changed, demoted, session_deleted])
async def test_a_file_ends_with_what_its_reader_rests_on(transactional_db, monkeypatch, ending, suffix):
    from realtime import history

    monkeypatch.setattr(history, "MOST", 1)
    people = await sync_to_async(cast)()
    await sync_to_async(order_write_note)(order_id=people.order.pk, note="the newest", by=people.client)
    browser = AsyncClient()
    await browser.aforce_login(people.manager)
    response: Any = await browser.get(f"/orders/{people.order.pk}/history.{suffix}")
    parts = aiter(response)
    begun = b"".join([await anext(parts), await anext(parts)]).decode()
    assert "the newest" in begun
    await sync_to_async(ending)(people.manager)
    rest = b"".join([part async for part in parts]).decode()
    said = "This is not all: versions below 3 are missing. You were logged out, or may not read it any more."
    if suffix == "csv":
        *_, row, last = csv.DictReader(StringIO(begun + rest))
        assert (row["version"], last.pop("kind")) == ("3", "cut off")
        assert last.pop("reason").startswith(said)
        assert set(last.values()) == {""}
    else:
        found = json.loads(begun + rest)
        assert [entry["version"] for entry in found["entries"]] == [3]
        assert found["cut_off"].startswith(said)


async def test_a_file_that_could_not_begin_says_so(transactional_db):
    people = await sync_to_async(cast)()
    browser = AsyncClient()
    await browser.aforce_login(people.manager)
    response: Any = await browser.get(f"/orders/{people.order.pk}/history.json")
    await sync_to_async(disabled)(people.manager)
    found = json.loads(b"".join([part async for part in response]))
    assert found["entries"] == []
    assert found["cut_off"].startswith("This is not all. You were logged out")


@pytest.mark.parametrize("most", [1, 3, 200])
def test_a_whole_file_says_nothing_of_the_kind(people, browser_of, monkeypatch, most):
    from realtime import history

    monkeypatch.setattr(history, "MOST", most)
    assert json.loads(page(browser_of, people.manager, people, "history.json"))["cut_off"] is None
    assert "cut off" not in {row["kind"] for row in rows(browser_of, people.manager, people)}
