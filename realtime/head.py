"""The newest frame of a record as one viewer sees it, for a page that is drawn before its socket speaks; older ones."""

from collections.abc import Collection
from typing import Any

from . import history, log
from .feeds import Feed, Viewer, key_of
from .masking import audience_of, frame_for

Frame = dict[str, Any]


def frames_for(feed: type[Feed], keys: Collection[Any], viewer: Viewer) -> dict[Any, Frame]:
    """Return, by key, the frame that a socket of ``viewer`` would get first; none where he sees no such record.

    One query, and two more where a record is older than the log. Keys are of the type of the model's key.
    """
    updates = log.states([feed.topic(key) for key in keys]).values()
    audiences = [(update, audience_of(update, viewer)) for update in updates]
    return {key_of(update.topic): frame_for(update, audience) for update, audience in audiences if audience is not None}


def frame_as_of(topic: str, version: int, viewer: Viewer) -> Frame | None:
    """Return the frame of ``version`` as ``viewer`` sees it; ``None`` where he sees no such version.

    Raises ``Trimmed`` where that version is not kept any more.
    """
    found = history.state_as_of(topic, version, viewer)
    return None if found is None else frame_for(*found)
