from decimal import Decimal
from typing import Protocol


class Provider(Protocol):
    """Moves the client's money. Raising refuses, and the step is rolled back."""

    def charge(self, amount: Decimal) -> None: ...

    def refund(self, amount: Decimal) -> None: ...


class DemoProvider:
    """Always succeeds; asks for no card and stores nothing."""

    def charge(self, amount: Decimal) -> None: ...

    def refund(self, amount: Decimal) -> None: ...


provider: Provider = DemoProvider()
