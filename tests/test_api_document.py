"""The OpenAPI document is one, and whatever is sent to what it names is answered, never with a traceback."""

import json
from functools import cache
from typing import Any

import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from schemathesis import Case, GenerationMode

from realtime.testing import capture_at_once
from tests.people import Cast, cast

pytestmark = pytest.mark.django_db

VISITORS = ("client", "booster", "manager")


def document() -> dict[str, Any]:
    answer = Client().get("/api/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = json.loads(answer.content)
    return found


@pytest.fixture
def people() -> Cast:
    capture_at_once()
    return cast()


def test_the_document_is_openapi() -> None:
    found = document()
    validate(found)
    assert found["openapi"].startswith("3.1")
    some = {"/api/orders/{key}/state", "/api/orders/sync", "/api/orders/{key}/claim", "/api/me"}
    assert some <= found["paths"].keys()
    ids = [operation["operationId"] for path in found["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


def test_no_page_loads_scripts_from_elsewhere() -> None:
    assert Client().get("/api/docs").status_code == 404


@cache
def cases(mode: GenerationMode) -> st.SearchStrategy[Case]:
    """Return requests as the document allows them, or forbids; streams, which answer 501 here, are left out."""
    found = document()
    found["paths"] = {path: value for path, value in found["paths"].items() if not path.endswith("/stream")}
    return schemathesis.openapi.from_dict(found).as_strategy(generation_mode=mode)


def sent(browser: Client, case: Case, order: int) -> Any:
    """Send ``case``; now and then to an order that is there."""
    path = case.formatted_path
    if order and "{key}" in case.path:
        path = case.path.replace("{key}", str(order))
    query = {name: value for name, value in (case.query or {}).items() if value is not None}
    headers = {name: str(value) for name, value in (case.headers or {}).items() if name.lower() != "cookie"}
    body = b""
    if case.media_type:
        body = json.dumps(case.body, default=str).encode("utf-8", "surrogatepass")
    return browser.generic(
        case.method, path, body, content_type=case.media_type or "text/plain", query_params=query, headers=headers
    )


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name)
def test_nothing_that_is_sent_is_answered_with_an_error_of_ours(people: Cast, mode: GenerationMode) -> None:
    browsers = {name: Client() for name in VISITORS}
    for name, browser in browsers.items():
        browser.force_login(getattr(people, name))
    seen = set()

    @settings(
        max_examples=100,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(mode), who=st.sampled_from(VISITORS), order=st.sampled_from([0, people.order.pk]))
    def run(case: Case, who: str, order: int) -> None:
        answer = sent(browsers[who], case, order)
        seen.add(answer.status_code)
        assert answer.status_code < 500, answer.content

    run()
    assert len(seen) > 2, "it is refused before it is read"
