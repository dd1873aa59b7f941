"""What attacks have in common that move one record across the boundary."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detector.evaluation.attacks.attack import Attacker, unit
from detector.evaluation.datasets import Coded

STARTS = 30
HALVINGS = 10


@dataclass(frozen=True, slots=True)
class Evader:
    """One record whose numbers are changed until its label is another; categories stay.

    Attributes:
        attacker: Who asks.
        record: (D,) point of the cube.
        label: Class index that the model gives the record.
        score: Of that class.
        origin: (k,) the record's numbers, in the cube.
    """

    attacker: Attacker
    record: Coded
    label: int
    score: float
    origin: Coded

    @classmethod
    def of(cls, attacker: Attacker, record: Coded) -> Self:
        """Ask for the label of a (D,) record."""
        answer = attacker.ask(record)
        label = int(answer.labels[0])
        score = float(answer.scores[0, label])
        return cls(attacker, record, label, score, record[attacker.space.numeric])

    @classmethod
    def of_a_seed(cls, attacker: Attacker) -> Self:
        """Ask for the label of a random natural record of the attacker's own."""
        return cls.of(attacker, attacker.seeds(1)[0])

    def trial(self, numbers: Coded) -> tuple[Coded, NDArray[np.bool_]]:
        """Ask about the record with (n, k) or (k,) other numbers.

        Returns:
            (n,) scores that the record's label still has, and (n,) whether the label is another.
        """
        rows = np.atleast_2d(numbers)
        points = np.repeat(self.record[None], len(rows), axis=0)
        points[:, self.attacker.space.numeric] = rows
        answers = self.attacker.ask(points)
        return answers.scores[:, self.label], answers.labels != self.label

    def evades(self, numbers: Coded) -> bool:
        """Ask whether the record with these (k,) numbers has another label."""
        return bool(self.trial(numbers)[1][0])

    def start(self) -> Coded | None:
        """Return (k,) numbers with another label: random ones, then other records'; None if none.

        A start of the attacker's own choice can be seeded; those of attack libraries cannot.
        """
        rng, numeric = self.attacker.rng, self.attacker.space.numeric
        for attempt in range(STARTS):
            if attempt < STARTS // 2:
                numbers = rng.random(len(numeric))
            else:
                numbers = self.attacker.seeds(1)[0, numeric]
            if self.evades(numbers):
                return numbers
        return None

    def approach(self, numbers: Coded) -> Coded:
        """Bisect from evading (k,) numbers towards the record; the result still evades."""
        kept, lost = numbers, self.origin
        for _ in range(HALVINGS):
            middle = (kept + lost) / 2
            if self.evades(middle):
                kept = middle
            else:
                lost = middle
        return kept

    def normal(self, edge: Coded, probes: Coded) -> Coded:
        """Estimate the boundary's normal, towards what evades, at (k,) numbers on it.

        The (n, k) probes are what is added to them; on which side each falls is asked.
        """
        evading = self.trial(edge + probes)[1]
        towards: Coded = unit((np.where(evading, 1.0, -1.0)[:, None] * probes).mean(axis=0))
        return towards

    def ball(self, numbers: Coded, size: float) -> Coded:
        """Return the numbers clipped to the cube and to an l-infinity ball about the record."""
        near = np.clip(numbers, self.origin - size, self.origin + size)
        clipped: Coded = np.clip(near, 0.0, 1.0)
        return clipped


def halved_blocks(count: int) -> Iterator[NDArray[np.intp]]:
    """Yield all of the coordinates, then their halves, and so on down to single ones."""
    parts = 1
    while parts < 2 * count:
        yield from np.array_split(np.arange(count), min(parts, count))
        parts *= 2
