"""Requests that move money are answered once, however often they are sent."""

from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any

from django.db import transaction

from accounts.models import User
from accounts.standing import standing_lock
from orders.exceptions import KeyMissing, KeyReused, NotAllowed, OrderNotFound
from orders.locks import order_lock
from orders.models import BaseOrder, Post

KEY_LENGTH = 64


def post_find(*, sender: User, key: object, content: object) -> Post:
    """Return the post that ``sender`` made under ``key``, or a new one that is not saved and has no order.

    The sender's row stays locked until the transaction ends, so that a copy of the request waits; his role is read
    anew. ``content`` is whatever makes the request what it is; other content under the same key is refused.
    """
    if not isinstance(key, str) or not key.isascii() or not key.isprintable() or not 1 <= len(key) <= KEY_LENGTH:
        raise KeyMissing(f"Send an idempotency key: 1 to {KEY_LENGTH} visible ASCII characters, new for every request.")
    if not standing_lock(sender).is_active:
        raise NotAllowed("This account is disabled.")
    digest = sha256(repr(content).encode("utf-8", "backslashreplace")).hexdigest()
    post = Post.objects.select_related("order").filter(sender=sender, key=key).first()
    if post and post.digest != digest:
        raise KeyReused("This idempotency key was used for another request. Send a new key.")
    return post or Post(sender=sender, key=key, digest=digest)


def post_record(*, post: Post, order: BaseOrder) -> Post:
    """Remember that ``post`` made or changed ``order``."""
    post.order = order
    post.save()
    return post


def posted(verb: str) -> Callable[[Callable[..., BaseOrder]], Callable[..., BaseOrder]]:
    """Let a step take an ``idempotency_key``: sent again with it, the step is answered and not repeated.

    Without one it is as before: what its status forbids a second time is refused.
    """

    def decorate(service: Callable[..., BaseOrder]) -> Callable[..., BaseOrder]:
        @wraps(service)
        def once(*, order_id: int, by: User, idempotency_key: str = "", **asked: Any) -> BaseOrder:
            if not idempotency_key:
                return service(order_id=order_id, by=by, **asked)
            content = (verb, order_id, sorted((name, value) for name, value in asked.items() if value is not None))
            with transaction.atomic():
                try:
                    order_lock(order_id=order_id, by=by)
                except OrderNotFound:  # he may have lost it by this very request, sent before
                    post = post_find(sender=by, key=idempotency_key, content=content)
                    if not post.pk:
                        raise
                else:
                    post = post_find(sender=by, key=idempotency_key, content=content)
                if not post.pk:
                    post_record(post=post, order=service(order_id=order_id, by=by, **asked))
                return post.order

        return once

    return decorate
