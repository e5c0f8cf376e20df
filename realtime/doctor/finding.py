"""One line of what the doctor says."""

from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """``level``: ``ok``, ``warn`` or ``FAIL``; ``what`` was found, and the ``remedy``; ``details`` for a machine.

    >>> print(Finding("warn", "4 orders have no stream", "run realtime_backfill"))
    warn  4 orders have no stream  -> run realtime_backfill
    >>> print(Finding("ok", "the epoch is 5f0c"))
    ok    the epoch is 5f0c
    """

    level: str
    what: str
    remedy: str = ""
    details: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.level:<4}  {self.what}" + (f"  -> {self.remedy}" if self.remedy else "")

    def as_json(self) -> dict[str, object]:
        return asdict(self)


RECONCILE = "run realtime_reconcile"
"""What makes good whatever was not captured."""
