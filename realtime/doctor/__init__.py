"""Is every write seen, and does what is seen reach the viewers? Looked into on the running system, changing nothing."""

from collections.abc import Iterator

from django.db import connections

from .. import conf
from ..capture.base import by_triggers
from . import bus, code, journal, probes, roles, signals, triggers
from .finding import Finding

__all__ = ["Finding", "examine"]


def examine() -> Iterator[Finding]:
    """Yield what was found, part by part; what a part needs and does not have is a finding too."""
    connection = connections[conf.current().database]
    if by_triggers(connection.alias):
        found = list(triggers.examine(connection))
        yield from found
        if not any(finding.level == "FAIL" for finding in found):
            yield from probes.examine(connection)
        yield from roles.examine(connection)
    else:
        yield from signals.examine()
    yield from code.examine(seen=by_triggers(connection.alias))
    yield from journal.examine()
    yield from bus.examine()
