"""What the stock ``daphne`` command writes of each request."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest
import websockets

from tests.server import PATIENCE, running
from tests.stories.test_streams_end import eventually

SECRETS = "access_token=hunter2&password=hunter3&next=hunter4"


@pytest.mark.django_db(transaction=True)
async def test_no_value_of_a_query_stands_in_the_access_log(server_environment: dict[str, str], tmp_path: Path) -> None:
    with running(tmp_path, server_environment) as server:
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{server.url}/nowhere/?{SECRETS}", timeout=PATIENCE)
        with pytest.raises(websockets.ConnectionClosed):
            async with websockets.connect(
                f"{server.ws_url}/ws/orders/7/?{SECRETS}", origin=websockets.Origin(server.url)
            ) as socket:
                await socket.recv()
        await eventually(lambda: "WSDISCONNECT" in server.log.read_text())
        text = server.log.read_text()
    assert '"GET /nowhere/?[hidden]" 404' in text
    assert '"WSCONNECT /ws/orders/7/"' in text
    assert "hunter" not in text
