"""What a returning client gets, by what it says it holds (PROTOCOL §3, resuming; invariants I7 and I14)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .messages import Have

Reason = Literal["epoch", "expired", "ahead"]


@dataclass(frozen=True, slots=True)
class Resumption:
    """Whether exactly what was missed follows, and why not. Without a cursor there is nothing to recover."""

    recovered: bool
    reason: Reason | None = None


def cursors(have: Have | None, *, epoch: str) -> dict[str, int]:
    """Return the versions that count, by the records' keys: none of another history.

    >>> cursors(Have("a", {"12": 7}), epoch="a"), cursors(Have("b", {"12": 7}), epoch="a")
    ({'12': 7}, {})
    """
    return dict(have.versions) if have is not None and have.epoch == epoch else {}


def resumption(
    have: Have | None, *, epoch: str, heads: Mapping[str, int], held: Mapping[str, int], is_whole: bool = True
) -> Resumption:
    """Judge a return: ``held`` are the cursors that count, ``heads`` what the database has of them.

    ``is_whole``: every version that was asked for is there.

    >>> have = Have("a", {"12": 7})
    >>> resumption(have, epoch="a", heads={"12": 9}, held={"12": 7})
    Resumption(recovered=True, reason=None)
    >>> resumption(have, epoch="a", heads={"12": 5}, held={"12": 7})
    Resumption(recovered=False, reason='ahead')
    >>> resumption(have, epoch="b", heads={"12": 9}, held={})
    Resumption(recovered=False, reason='epoch')
    """
    if have is None:
        return Resumption(False)
    if have.epoch != epoch:
        return Resumption(False, "epoch")
    if any(version > heads[key] for key, version in held.items() if key in heads):
        return Resumption(False, "ahead")
    return Resumption(True) if is_whole else Resumption(False, "expired")
