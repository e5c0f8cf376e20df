"""Limits that need no memory of their own: time comes in as an argument."""


class Bucket:
    """A token bucket: ``burst`` at once, then ``rate`` a second.

    >>> bucket = Bucket(rate=2, burst=3, now=10.0)
    >>> [bucket.allow(now=10.0) for _ in range(4)]
    [True, True, True, False]
    >>> bucket.allow(now=10.5)
    True
    """

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, *, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, now

    def allow(self, *, now: float) -> bool:
        """Take one token; ``False`` when there is none. ``now`` in seconds, from any monotonic clock."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
