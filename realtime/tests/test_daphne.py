"""What Daphne's subclass does in moments that no client can make to order."""

from typing import Any

from realtime.gateways.flow import Flow
from realtime.gateways.requests import Request


def test_a_response_that_outlives_its_reader_ends_without_a_word() -> None:
    """Twisted takes the channel from a request whose client has gone; the application may say its last part later."""
    request: Any = Request.__new__(Request)
    request.flow, request.channel = Flow(), None
    assert request.flow_of({"type": "http.response.body"}) is None
    assert vars(request)["flow"] is None
    request.producer, request.finished = None, 0
    assert request.flow_of({"type": "http.response.start"}) is None
