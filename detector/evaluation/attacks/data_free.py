"""Data-free extraction: points of a generator with finite differences about each.

Truong et al., "Data-Free Model Extraction", CVPR 2021 (DFME: forward differences), and Kariyappa et
al., "MAZE: Data-Free Model Stealing Attack Using Zeroth-Order Gradient Estimation", CVPR 2021
(many directions a point). The generator learns to find where the surrogate disagrees with the
model; its gradient with respect to a point can only be estimated, by queries at a tiny distance.
"""

from dataclasses import dataclass

import numpy as np

from detector.evaluation.attacks.attack import Attacker, unit
from detector.evaluation.attacks.surrogate import Surrogate
from detector.evaluation.datasets import Coded

LATENT = 16
RATE = 2.0
GAIN = 2.0
BATCHES = (2, 4, 8)
BATCH_DIRECTIONS = (2, 4, 6)
MAZE_BATCH = 6
MAZE_DIRECTIONS = 10
RADII = (1e-3, 1e-2)


@dataclass(slots=True)
class _Generator:
    """Noise, (n, `LATENT`), to points of the cube through one trained layer.

    Attributes:
        weights: (`LATENT`, D) trained layer.
        hidden: (`LATENT`, `LATENT`) random layer before it, or None.
    """

    weights: Coded
    hidden: Coded | None

    def features(self, noise: Coded) -> Coded:
        return noise if self.hidden is None else np.tanh(noise @ self.hidden)

    def points(self, noise: Coded) -> Coded:
        made: Coded = 1.0 / (1.0 + np.exp(-self.features(noise) @ self.weights))
        return made

    def climb(self, noise: Coded, points: Coded, gradient: Coded) -> None:
        """Step along the (n, D) gradient of what is to grow."""
        self.weights += RATE * self.features(noise).T @ (gradient * points * (1.0 - points))


def _generator(attacker: Attacker, *, deep: bool) -> _Generator:
    rng, scale = attacker.rng, GAIN / np.sqrt(LATENT)
    hidden = scale * rng.normal(size=(LATENT, LATENT)) if deep else None
    return _Generator(scale * rng.normal(size=(LATENT, attacker.space.size)), hidden)


def _radius(attacker: Attacker) -> float:
    return float(np.exp(attacker.rng.uniform(*np.log(RADII))))


def _directions(attacker: Attacker, n: int, count: int) -> Coded:
    """Return (n, count, D) random unit vectors over the numbers."""
    directions = np.zeros((n, count, attacker.space.size))
    numeric = attacker.space.numeric
    directions[..., numeric] = unit(attacker.rng.normal(size=(n, count, len(numeric))))
    return directions


def _steal(attacker: Attacker, *, directions: int, batch: int, deep: bool, symmetric: bool) -> None:
    """Alternate between generating, differencing and learning until the budget is spent.

    A batch's points are asked first, then their neighbours direction by direction.
    """
    generator, radius = _generator(attacker, deep=deep), _radius(attacker)
    surrogate = Surrogate(seed=int(attacker.rng.integers(2**31)))
    classes = len(attacker.oracle.target.dataset.classes)
    asked, labels = np.empty((0, attacker.space.size)), np.empty(0, dtype=np.int64)
    while attacker.oracle.left:
        noise = attacker.rng.normal(size=(batch, LATENT))
        points = generator.points(noise)
        towards = _directions(attacker, batch, directions)
        shifts = [sign * radius * towards for sign in ((1.0, -1.0) if symmetric else (1.0,))]
        around = points[:, None] + np.concatenate(shifts, axis=1)
        probes = np.concatenate([points[:, None], around], axis=1).swapaxes(0, 1)
        flat = probes.reshape(-1, attacker.space.size)
        answers = attacker.ask(flat)
        gap = np.abs(answers.scores - surrogate.scores(flat, classes)).sum(axis=1)
        gaps = gap.reshape(-1, batch).T
        behind = gaps[:, directions + 1 :] if symmetric else gaps[:, :1]
        slopes = (gaps[:, 1 : directions + 1] - behind) / (radius * (1 + symmetric))
        generator.climb(noise, points, (slopes[..., None] * towards).mean(axis=1))
        asked, labels = np.concatenate([asked, flat]), np.concatenate([labels, answers.labels])
        surrogate.fit(asked, labels)


def dfme(attacker: Attacker) -> None:
    """Ask for one generated point at a time and a few forward differences about it."""
    directions = int(attacker.rng.choice([1, 2, 5]))
    _steal(attacker, directions=directions, batch=1, deep=False, symmetric=False)


def batched_differences(attacker: Attacker) -> None:
    """Ask for a batch of points and for a few directions about each; sizes and forms by chance."""
    rng = attacker.rng
    _steal(
        attacker,
        directions=int(rng.choice(BATCH_DIRECTIONS)),
        batch=int(rng.choice(BATCHES)),
        deep=bool(rng.random() < 0.5),
        symmetric=bool(rng.random() < 0.5),
    )


def maze(attacker: Attacker) -> None:
    """Ask for a batch of points and for ten directions about each, forward or symmetric."""
    symmetric = bool(attacker.rng.random() < 0.5)
    _steal(attacker, directions=MAZE_DIRECTIONS, batch=MAZE_BATCH, deep=True, symmetric=symmetric)
