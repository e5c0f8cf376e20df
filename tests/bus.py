"""The channel layer as other code uses it: hints to ``order_<id>``, and a proof that the layer reaches a viewer."""

from contextlib import suppress
from itertools import count
from typing import Any

from channels.layers import get_channel_layer

from tests.server import PATIENCE, Watch

_numbers = count(1)


async def hint(order_id: int, message: str = "", **said: Any) -> None:
    """Send what callers of the earlier API send; ``said`` are further, untrusted keys of the message."""
    layer = get_channel_layer()
    assert layer is not None
    event = {"type": "order.update", "order_id": order_id, "message": message, **said}
    await layer.group_send(f"order_{order_id}", event)


async def carried(watch: Watch, order_id: int) -> dict[str, Any]:
    """Return the frame that a hint brings; only the layer brings one without a version.

    All that was sent from this loop before is delivered then: one connection, one order. Hints are sent until one
    arrives, because the layer does not say when a subscription stands.
    """
    for _ in range(int(PATIENCE / 0.5)):
        message = f"carried {next(_numbers)}"
        with suppress(Exception):  # the layer may be down, or about to notice that it was
            await hint(order_id, message)
        with suppress(TimeoutError):
            while True:
                frame = await watch.next(timeout=0.5)
                if "version" not in frame and frame["message"] == message:
                    return frame
    raise AssertionError("the layer carries nothing to this viewer")


def versions(watch: Watch) -> list[dict[str, Any]]:
    """Return the frames that carry a version."""
    return [frame for frame in watch.frames if "version" in frame]
