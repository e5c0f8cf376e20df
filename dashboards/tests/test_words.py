"""A value reads the same whether the server drew it or the script painted it: both read ``js/words.json``."""

import json
from pathlib import Path
from typing import Any

import pytest

from dashboards.words import for_script, words_for

FIXTURE = json.loads((Path(__file__).parent / "js" / "words.json").read_text())


def test_the_fixture_has_the_words_that_the_script_gets() -> None:
    assert {name: FIXTURE[name] for name in ("hidden", "kinds")} == for_script()
    assert {kind for kind, _, _ in FIXTURE["cases"]} == FIXTURE["kinds"].keys()


@pytest.mark.parametrize(("kind", "value", "words"), FIXTURE["cases"])
def test_a_value_in_words(kind: str, value: Any, words: str) -> None:
    assert words_for(kind, value) == words


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/orders/{}/"])
def test_a_page_hands_the_words_to_its_script(people, browser_of, path):
    page = browser_of(people.client).get(path.format(people.order.pk)).content.decode()
    text = page.split('<script id="words" type="application/json">')[1].split("</script>")[0]
    assert json.loads(text) == for_script()
