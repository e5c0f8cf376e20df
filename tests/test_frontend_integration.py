"""The client that FRONTEND_INTEGRATION.md shows holds what the fixtures of ``wire/`` say."""

import shutil
import subprocess
from pathlib import Path

import pytest

from gameBoosterss.development.checks import without_node

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "realtime" / "FRONTEND_INTEGRATION.md"


@pytest.mark.skipif(shutil.which("node") is None or bool(without_node()), reason="there is no node ≥ 20.19 here")
def test_the_client_of_the_page_holds_what_it_was_told(tmp_path: Path) -> None:
    module = tmp_path / "order-sync.mjs"
    module.write_text(PAGE.read_text().split("## The module: `order-sync.js`")[1].split("```js\n")[1].split("```")[0])
    play = ["node", ROOT / "tests/js/conversations.mjs", module, ROOT / "wire/conversations"]
    done = subprocess.run(play, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "# pass" in done.stdout
