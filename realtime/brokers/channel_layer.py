"""The bus over the project's channel layer: channels-redis pub/sub by default, its core layer as well."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from channels.layers import get_channel_layer

from .. import conf
from .base import GROUPS, Broker, BrokerError, Heard, Hinted

_BUS = "realtime.bus"


async def _bounded(work: Awaitable[Any]) -> Any:
    try:
        async with asyncio.timeout(conf.current().broker_timeout):
            return await work
    except Exception as error:  # a layer raises what its client library raises: all of it means "not sent"
        raise BrokerError(f"{type(error).__name__}: {error}") from error


class ChannelLayerBroker(Broker):
    """One channel a process joins the fixed groups; ``group_send`` carries a body to all of them."""

    def __init__(self) -> None:
        self._channels: dict[asyncio.AbstractEventLoop, tuple[str, set[str]]] = {}
        """The channel of each loop that listens, and the groups that it is in."""

    @property
    def _layer(self) -> Any:
        layer = get_channel_layer(conf.current().channel_layer)
        if layer is None:
            raise BrokerError("no channel layer is configured: set CHANNEL_LAYERS or use the memory broker")
        return layer

    async def publish(self, group: int, body: str) -> None:
        await _bounded(self._layer.group_send(f"{_BUS}.{group}", {"type": _BUS, "body": body}))

    async def hint(self, feed_name: str, key: str, message: str) -> None:
        event = {"type": f"{feed_name}.update", f"{feed_name}_id": key, "message": message}
        await _bounded(self._layer.group_send(f"{feed_name}_{key}", event))

    async def listen(self, heard: Heard, hinted: Hinted) -> None:
        loop, layer = asyncio.get_running_loop(), self._layer
        channel = await _bounded(layer.new_channel("realtime"))
        groups = {f"{_BUS}.{number}" for number in range(GROUPS)}
        self._channels[loop] = channel, groups
        try:
            for group in list(groups):
                await _bounded(layer.group_add(group, channel))
            while True:
                self._pass_on(await layer.receive(channel), heard, hinted)
        except BrokerError:
            raise
        except Exception as error:  # whatever the layer's client library raises
            raise BrokerError(f"{type(error).__name__}: {error}") from error
        finally:
            if self._channels.get(loop) == (channel, groups):  # else somebody listens since
                del self._channels[loop]
            await self._leave(layer, groups, channel)

    async def _leave(self, layer: Any, groups: set[str], channel: str) -> None:
        """Unsubscribe, as far as the layer answers in time, so that the next ``listen`` subscribes afresh."""
        with suppress(TimeoutError):
            async with asyncio.timeout(conf.current().broker_timeout):
                for group in groups:
                    # A layer that is gone took its subscriptions along; what is known of them here goes all the same.
                    with suppress(Exception):
                        await layer.group_discard(group, channel)

    def _pass_on(self, event: Any, heard: Heard, hinted: Hinted) -> None:
        """Tell our own bodies from a foreign ``{"type": "order.update", ...}``; ignore the rest."""
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            return
        kind = event["type"].replace("_", ".")  # Channels takes both spellings
        if kind == _BUS and isinstance(event.get("body"), str):
            heard(event["body"])
        elif kind.endswith(".update"):
            feed_name = kind.removesuffix(".update")
            said = event["data"] if isinstance(event.get("data"), dict) else event
            hinted(feed_name, str(said.get(f"{feed_name}_id", "")), str(said.get("message") or ""))

    async def follow(self, feed_name: str, key: str) -> None:
        if listening := self._channels.get(asyncio.get_running_loop()):
            channel, groups = listening
            groups.add(f"{feed_name}_{key}")
            await _bounded(self._layer.group_add(f"{feed_name}_{key}", channel))

    async def unfollow(self, feed_name: str, key: str) -> None:
        if listening := self._channels.get(asyncio.get_running_loop()):
            channel, groups = listening
            groups.discard(f"{feed_name}_{key}")
            await _bounded(self._layer.group_discard(f"{feed_name}_{key}", channel))
