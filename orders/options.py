from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """How an order is played; each option raises the price."""

    duo: bool = False
    streaming: bool = False
    turbo: bool = False
