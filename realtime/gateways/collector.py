"""The collector of garbage, kept short: for as long as it looks, everybody stands still."""

import gc
from typing import Any

HIDDEN = 5
"""After how many full collections what is left is out of the collector's sight. What pages need comes with the first of
them and stays. A circle that is whole at such a moment and later is not is never freed: hence not at all of them."""


class Collector:
    """Comes often, finds little, and does not look at what stays for good.

    Sockets leave no circles (``docs/adr/offences-and-circles.md``); pages do, Django's.
    """

    def __init__(self) -> None:
        self._left = HIDDEN

    def begin(self) -> None:
        """Hide what is here now, and what the first full collections leave."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(*gc.get_threshold()[:2], 2)
        gc.callbacks.append(self._looked)

    def end(self) -> None:
        """Hide nothing more."""
        if self._looked in gc.callbacks:
            gc.callbacks.remove(self._looked)

    def _looked(self, phase: str, found: dict[str, Any]) -> None:
        if phase == "stop" and found["generation"] == 2:
            gc.freeze()
            self._left -= 1
            if not self._left:
                self.end()
