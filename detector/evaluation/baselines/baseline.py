"""What a baseline is here."""

from collections.abc import Sequence
from typing import Protocol

from detector.evaluation.datasets import Coded, Labels


class Baseline(Protocol):
    """A detector that judges one client's queries in their order."""

    def calibrate(self, clients: Sequence[Coded]) -> None:
        """Take reference clients, each (n, D) points of the unit cube in their order."""
        ...

    def alarm(self, points: Coded, labels: Labels) -> int | None:
        """Return the ordinal of the query at which a client raises an alarm, None for never.

        Args:
            points: (n, D) queries in their order.
            labels: (n,) class indices answered.
        """
        ...
