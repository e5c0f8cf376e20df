"""Rules of limits: time comes in as an argument, and nothing here knows a network."""

from collections import OrderedDict
from random import Random


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

    def allow(self, *, now: float, cost: float = 1) -> bool:
        """Take ``cost`` tokens, one for most; ``False``, and what is left stays, when there are fewer.

        ``now`` in seconds, from any monotonic clock.
        """
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < cost:
            return False
        self._left -= cost
        return True


class Rates:
    """How often each of many names may do something; the name not heard of for longest gives way to a new one.

    One number a name: when it will have everything back (GCRA). A name that gave way has its burst again.

    >>> rates = Rates()
    >>> limit = {"rate": 2.0, "burst": 3, "names": 1000}
    >>> [rates.wait("a", now=10.0, **limit) for _ in range(4)]      # 0.0: allowed
    [0.0, 0.0, 0.0, 0.5]
    >>> rates.wait("a", now=10.5, **limit), rates.wait("b", now=10.5, **limit)
    (0.0, 0.0)
    """

    def __init__(self) -> None:
        self._back: OrderedDict[str, float] = OrderedDict()
        self._random = Random()
        self.forgotten = 0
        """Names that gave way."""

    def __len__(self) -> int:
        return len(self._back)

    def owes(self, name: str, *, now: float) -> bool:
        """Return whether ``name`` has taken a turn that it does not have back yet."""
        return self._back.get(name, now) > now

    def due(self, name: str, *, rate: float, burst: int, now: float) -> float:
        """Return in how many seconds ``name`` has a turn, 0 for now; none is taken."""
        interval = 1 / max(rate, 0.001)
        return max(0.0, self._back.get(name, now) + interval - now - burst * interval)

    def wait(self, name: str, *, rate: float, burst: int, names: int, now: float, spread: float = 0.0) -> float:
        """Take one turn of ``name``; return 0, or the seconds until it has one again. ``names`` are kept at most.

        Whose last turn it is waits up to ``spread`` turns longer, by chance: who ran out of them together with others
        does not come back together with them.

        >>> rates = Rates()
        >>> _ = [rates.wait(n, rate=1, burst=1, names=9, now=0, spread=1) for n in "abc"]
        >>> len({rates.due(n, rate=1, burst=1, now=0) for n in "abc"})
        3
        """
        interval = 1 / max(rate, 0.001)
        back = max(now, self._back.get(name, now)) + interval
        wait = back - now - burst * interval
        if wait > 1e-9:
            self._back.move_to_end(name)
            return wait
        if wait + interval > 1e-9:
            back += interval * self._random.uniform(0, spread)
        self._back[name] = back
        self._back.move_to_end(name)
        while len(self._back) > names:
            self._back.popitem(last=False)
            self.forgotten += 1
        return 0.0
