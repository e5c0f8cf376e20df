"""What one viewer sees of one version: decided by the feed, encoded once for everyone who sees the same."""

from functools import lru_cache

from . import conf
from .feeds import Viewer, feed_of, key_of
from .protocol import frames
from .protocol.frames import Update
from .protocol.outbox import Repeat
from .protocol.session import Send


@lru_cache(maxsize=4096)
def audience_of(update: Update, viewer: Viewer) -> str | None:
    """Return how ``viewer`` sees this version; ``None``: not at all. Asked with the version's own gates (I11)."""
    if update.state is None:
        return None
    return feed_of(update.topic).audience_in(viewer, update.state)


def text_for(update: Update, audience: str) -> str:
    """Return the frame of ``update`` as ``audience`` sees it, masked, as JSON text."""
    return _text_for(update, audience, conf.current().visibility)


@lru_cache(maxsize=1024)
def _text_for(update: Update, audience: str, visibility: str) -> str:
    return frames.encode(frame_for(update, audience))


def frame_for(update: Update, audience: str) -> dict[str, object]:
    """Return the frame of PROTOCOL §1: every declared field, those that ``audience`` may not see as ``None``."""
    feed = feed_of(update.topic)
    state, shown = update.state or {}, feed.shown(audience)
    key = key_of(update.topic)
    return frames.update_frame(
        name=feed.name,
        key=key if isinstance(key, int) else str(key),
        values={name: state.get(name) if name in shown else None for name in feed.fields},
        update=update,
        masked=[name for name in feed.fields if name not in shown],
    )


def text_of(item: Send | Repeat, audience: str) -> str:
    """Return what is written to a socket of ``audience`` for ``item``."""
    match item:
        case Send(update=update, had=had):
            text = text_for(update, audience)
            return text if item.follows else frames.with_prev(text, had)
        case Repeat(update=update, message=message):
            frame = frame_for(update, audience)
            del frame["version"], frame["changed"]
            return frames.encode({**frame, "message": message})
