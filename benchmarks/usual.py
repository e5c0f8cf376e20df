"""The usual stack, as tutorials build it: a group a record, a member a socket, a message each.

``daphne benchmarks.usual:application`` serves it; ``send`` is its other end, a ``post_save`` receiver. Nothing here is
of ``realtime``: it is what ``realtime`` is held against.
"""

import json
from typing import Any

from asgiref.sync import async_to_sync
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path


class Consumer(AsyncWebsocketConsumer):
    """Joins the order's group and passes on what is sent to it."""

    async def connect(self) -> None:
        self.group = f"order_{self.scope['url_route']['kwargs']['order_id']}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        await self.send(text_data=json.dumps({"type": "hello"}))

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def order_update(self, event: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(event["data"]))


def send(instance: Any, **_: Any) -> None:
    """Tell the order's group what was saved."""
    layer = get_channel_layer()
    assert layer is not None
    data = {
        "order_id": instance.pk,
        "status": instance.status,
        "booster_price": str(instance.booster_price),
        "actual_price": str(instance.actual_price),
        "booster_id": instance.booster_id,
        "title": instance.title,
        "note": instance.note,
        "message": instance.message,
    }
    async_to_sync(layer.group_send)(f"order_{instance.pk}", {"type": "order.update", "data": data})


application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path("ws/orders/<int:order_id>/", Consumer.as_asgi())]),  # type: ignore[arg-type, list-item]
    }
)
