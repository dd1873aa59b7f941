"""PRADA: are the distances between a client's queries normally distributed?

Juuti, Szyller, Marchal and Asokan, "PRADA: Protecting against DNN Model Stealing Attacks", IEEE
EuroS&P 2019, algorithm 1 with the threshold of its evaluation, .95. It knows no reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import shapiro

from detector.evaluation.datasets import Coded, Labels

THRESHOLD = 0.95
MIN_DISTANCES = 100
OUTLIER_DEVIATIONS = 3.0


@dataclass(slots=True)
class _Grown:
    """The growing set of one class: its points, the distances that let them in, the threshold."""

    points: list[Coded]
    distances: list[float] = field(default_factory=lambda: [0.0])
    threshold: float = 0.0

    def take(self, point: Coded) -> float:
        """Return the distance to the set; a point farther than the threshold joins it."""
        gaps = np.stack(self.points) - point
        distance = float(np.sqrt((gaps * gaps).sum(axis=1).min()))
        if distance > self.threshold:
            self.points.append(point)
            self.distances.append(distance)
            spread = float(np.mean(self.distances) - np.std(self.distances))
            self.threshold = max(self.threshold, spread)
        return distance


class Prada:
    """The test after every query, from the first hundred distances on."""

    def calibrate(self, clients: Sequence[Coded]) -> None:
        """Need nothing of the reference."""

    def alarm(self, points: Coded, labels: Labels) -> int | None:
        """Return the ordinal at which the distances stop looking normal, None for never."""
        grown: dict[int, _Grown] = {}
        distances: list[float] = []
        for number, (point, label) in enumerate(zip(points, labels.tolist(), strict=True), 1):
            own = grown.get(label)
            if own is None:
                grown[label] = _Grown([point])
                continue
            distances.append(own.take(point))
            if len(distances) > MIN_DISTANCES and _abnormal(np.array(distances)):
                return number
        return None


def _abnormal(distances: Coded) -> bool:
    mean, deviation = distances.mean(), distances.std()
    kept = distances[np.abs(distances - mean) <= OUTLIER_DEVIATIONS * deviation]
    if np.ptp(kept) == 0.0:
        # The statistic is undefined for equal distances, which are as far from normal as can be.
        return True
    return float(shapiro(kept).statistic) < THRESHOLD
