"""A post from elsewhere changes nothing, and the page says what to do."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def strict(people):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(people.client)
    return browser


@pytest.mark.parametrize("path", ["/orders/{}/pause/", "/orders/new/league-of-legends/", "/accounts/logout/"])
def test_a_post_without_a_token_is_refused(people, strict, path):
    response = strict.post(path.format(people.order.pk))
    assert response.status_code == 403
    assert "This page was too old to send" in response.content.decode()
    people.order.refresh_from_db()
    assert people.order.status == "Continue"


def test_a_post_with_the_token_of_the_page_goes_through(people, strict):
    strict.get(f"/orders/{people.order.pk}/")
    token = strict.cookies["csrftoken"].value
    response = strict.post(f"/orders/{people.order.pk}/pause/", {"csrfmiddlewaretoken": token})
    assert response.status_code == 302
    people.order.refresh_from_db()
    assert people.order.status == "Paused"
