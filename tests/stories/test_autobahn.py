"""RFC 6455, case by case: the Autobahn cases against the servers that we run under, with an echo behind them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines import child_environment
from tests.server import ROOT, Server, Uvicorn, running


@pytest.mark.timeout(600)
@pytest.mark.parametrize("gateway", [Server, Uvicorn], ids=["daphne", "uvicorn"])
def test_no_case_fails(gateway: type[Server], db: None, tmp_path: Path) -> None:
    with running(tmp_path, child_environment(), gateway, "tests.echo:application") as server:
        played = subprocess.run(
            [sys.executable, ROOT / "tests/cases.py", server.ws_url], stdout=subprocess.PIPE, text=True, timeout=500
        )
    came_of: dict[str, str] = json.loads(played.stdout)
    assert {case: wrong for case, wrong in came_of.items() if wrong} == {}
    assert len(came_of) > 200
    assert "Traceback" not in server.log.read_text(), server.log.read_text()[-3000:]
