"""``./dev`` before it has a virtual environment."""

import os
import runpy
from typing import Any

import pytest

from tests.server import ROOT


@pytest.fixture(scope="module")
def dev() -> dict[str, Any]:
    """What the script defines."""
    return runpy.run_path(str(ROOT / "dev"))


def test_where_bytecode_may_not_lie_beside_the_source_it_goes_to_var(dev: dict[str, Any]) -> None:
    """Compiling everything anew makes a server start in 2.4 s of CPU instead of 0.8."""
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}
    dev["compiled"](environment)
    assert environment == {"PYTHONPYCACHEPREFIX": os.path.join(ROOT, "var", "bytecode")}


@pytest.mark.parametrize("said", [{}, {"PYTHONPYCACHEPREFIX": "/elsewhere"}])
def test_whoever_says_nothing_of_it_or_where_it_goes_is_heard(dev: dict[str, Any], said: dict[str, str]) -> None:
    environment = dict(said)
    dev["compiled"](environment)
    assert environment == said
