"""Whether the bus carries: a nonce of our own, sent and heard."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import suppress

from .. import brokers
from ..exceptions import BrokerError, ForgedMessage
from ..protocol.codec import Beat, seal, unseal
from .finding import Finding

PATIENCE = 5.0
"""Seconds until a nonce counts as lost; it is sent again and again, since a layer does not say when we are heard."""


def examine() -> Iterator[Finding]:
    """Yield one finding."""
    name = type(brokers.current()).__name__
    if asyncio.run(_carries()):
        yield Finding("ok", f"bus: {name} carries")
    else:
        remedy = "look at CHANNEL_LAYERS and its server; meanwhile viewers are served by repair"
        yield Finding("FAIL", f"bus: {name} does not carry our nonce within {PATIENCE:.0f} s", remedy)


async def _carries() -> bool:
    broker, beat, heard = brokers.current(), Beat(secrets.token_hex(8)), asyncio.Event()

    def take(body: str) -> None:
        with suppress(ForgedMessage):
            if unseal(body, brokers.key()) == beat:
                heard.set()

    listening = asyncio.create_task(broker.listen(take, lambda *_: None))
    try:
        async with asyncio.timeout(PATIENCE):
            while not heard.is_set() and not listening.done():
                with suppress(BrokerError):
                    await broker.publish(brokers.base.GROUPS - 1, seal(beat, brokers.key()))
                with suppress(TimeoutError):
                    await asyncio.wait_for(heard.wait(), 0.1)
    except TimeoutError:
        return False
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    return heard.is_set()
