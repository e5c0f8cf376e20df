"""Behind ``AuthMiddlewareStack``, which asks the database for a cookie as it came, a poisoned one is nobody's too."""

import asyncio
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async

from orders.services import order_write_note
from tests.engines import child_environment
from tests.people import cast
from tests.server import Server, Uvicorn, running, session_of
from tests.stories.test_poisoned_cookies import POISONED, answered
from tests.wire import handshake, spoken


@pytest.fixture(scope="module", params=[Server, Uvicorn], ids=lambda kind: kind.__name__)
def house(request: pytest.FixtureRequest, db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder, stacked = tmp_path_factory.mktemp("server"), "tests.stacked:application"
    with running(folder, child_environment(), request.param, stacked) as server:
        yield server
    log = server.log.read_text()
    assert "Traceback" not in log, log[-3000:]


async def test_a_poisoned_cookie_is_nobodys_and_others_do_not_notice(house: Server) -> None:
    people = await sync_to_async(cast)()
    path = f"/ws/orders/{people.order.pk}/"
    shown = POISONED if type(house) is Server else POISONED[:5]  # uvicorn itself stumbles over what is no ASCII
    async with house.watch(path, people.client) as watch:
        version = (await watch.next())["version"]
        assert set(await asyncio.gather(*(answered(house, path, cookie) for cookie in shown))) == {4401}
        await sync_to_async(order_write_note)(order_id=people.order.pk, note="After six.", by=people.client)
        await watch.until(version + 1)


async def test_a_good_cookie_beside_it_counts(house: Server) -> None:
    people = await sync_to_async(cast)()
    session = await sync_to_async(session_of)(people.client)
    path = f"/ws/orders/{people.order.pk}/"
    assert await answered(house, path, rf'{session}; theme=dark; other="\000"; sessionid="\000"') == 0


async def test_a_bare_nul_opens_no_socket(house: Server) -> None:
    head, _ = await spoken(house, handshake(house, "/ws/orders/1/", session="a\x00b"))
    assert head.split()[1].startswith(b"4"), head
