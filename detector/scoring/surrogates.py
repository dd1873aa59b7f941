"""Surrogates as arrays: for each suspect a ridge regression of the model's answers.

A surrogate is linear in random Fourier features of the query, one regression a label against the
rest, with a prior of precision 1 on every weight: the posterior mean of Bayesian linear regression
(Bishop 2006, equations 3.53 and 3.54, alpha = beta = 1). Only its sums are kept, and they make one
pass as good as many. The sum over the features' products is the same for all labels.
"""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.kit.compiled import compiled
from detector.reference.answers import FEATURES, AnswerSample, project

WIDTH = FEATURES + 1
"""A constant and the features."""
PRODUCTS = WIDTH * (WIDTH + 1) // 2
FEWEST_ANSWERS = 16
"""Before so many nothing is said of a surrogate."""
ALL_ANSWERS = 2048
THINNING = 16
_FIRST_SLOTS = 4
_LOWER = np.tril_indices(WIDTH)


@compiled
def _add(x: Any, label: int, asked: Any, products: Any, targets: Any) -> None:
    """Add one answer to a suspect's sums."""
    at = 0
    for a in range(len(x)):
        for b in range(a + 1):
            products[at + b] += x[a] * x[b]
        at += a + 1
    for k in range(len(asked)):
        sign = 1.0 if asked[k] == label else -1.0
        for a in range(len(x)):
            targets[k, a] += sign * x[a]


@compiled
def _learn(
    slots: Any, z: Any, labels: Any, basis: Any, asked: Any, sums: Any, answers: Any, changed: Any
) -> None:
    """Take answers in their order; those with a negative slot or label pass."""
    products, targets = sums
    x = np.ones(WIDTH)
    for i in range(len(slots)):
        slot = slots[i]
        if slot < 0 or labels[i] < 0:
            continue
        answers[slot] += 1
        changed[slot] = True
        if answers[slot] <= ALL_ANSWERS or answers[slot] % THINNING == 0:
            project(z[i], basis, x[1:])
            _add(x, labels[i], asked, products[slot], targets[slot])


class SavedSums(msgspec.Struct, frozen=True):
    """One surrogate, to be kept over a restart.

    Attributes:
        answers: How many it was offered.
        sums: Those over products, then those over targets, as float64.
    """

    answers: int
    sums: bytes


class Surrogates:
    """The surrogates of one model's suspects, each in a slot."""

    def __init__(self, sample: AnswerSample) -> None:
        self._labels = np.unique(sample.labels)
        # Two labels are one question; more are as many, each label against the rest.
        self._asked = self._labels[1:] if len(self._labels) == 2 else self._labels
        self._inputs, self._truth = sample.inputs(), sample.labels
        self._basis = sample.basis()
        self._free: list[int] = []
        self._products = np.zeros((0, PRODUCTS))
        self._targets = np.zeros((0, len(self._asked), WIDTH))
        self.answers = np.zeros(0, dtype=np.int64)
        self.changed = np.zeros(0, dtype=np.bool_)

    def __bool__(self) -> bool:
        """Return whether there is anything to learn: labels to tell apart."""
        return bool(len(self._labels))

    def open(self) -> int:
        """Return a slot with a surrogate that knows nothing."""
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self._products[slot] = 0.0
        self._targets[slot] = 0.0
        self.answers[slot], self.changed[slot] = 0, True
        return slot

    def close(self, slot: int) -> None:
        """Give a slot back."""
        self._free.append(slot)

    def _grow(self) -> None:
        size = len(self.answers)
        more = max(size, _FIRST_SLOTS)
        for name in ("_products", "_targets", "answers", "changed"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros((more, *old.shape[1:]), old.dtype)]))
        self._free += range(size + more - 1, size - 1, -1)

    def learn(
        self, slots: NDArray[np.int64], z: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> None:
        """Take answers in their order.

        Beyond `ALL_ANSWERS` answers of a suspect only every `THINNING`-th is learnt, so that one
        who floods the model costs little.

        Args:
            slots: (n,) whose answer it is, negative for nobody's.
            z: (n, d) scaled folded cells.
            labels: (n,) label codes, negative where there is none.
        """
        sums = self._products, self._targets
        _learn(slots, z, labels, self._basis, self._asked, sums, self.answers, self.changed)

    def measure(self, slot: int) -> float | None:
        """Return the share of the sample's answers that the surrogate gives by now.

        None before it has learnt `FEWEST_ANSWERS`.
        """
        if self.answers[slot] < FEWEST_ANSWERS:
            return None
        values = self._inputs @ self.weights(slot)
        if len(self._asked) == 1:
            predicted = self._labels[(values[:, 0] > 0.0).astype(np.int64)]
        else:
            predicted = self._labels[np.argmax(values, axis=1)]
        return float(np.mean(predicted == self._truth))

    def weights(self, slot: int) -> NDArray[np.float64]:
        """Return the (`WIDTH`, questions) posterior means."""
        precision = np.empty((WIDTH, WIDTH))
        precision[_LOWER] = self._products[slot]
        precision.T[_LOWER] = self._products[slot]
        precision[np.diag_indices(WIDTH)] += 1.0
        return np.asarray(np.linalg.solve(precision, self._targets[slot].T))

    def save(self, slot: int) -> SavedSums:
        """Return everything that `restore` needs."""
        sums = np.concatenate([self._products[slot], self._targets[slot].ravel()])
        return SavedSums(int(self.answers[slot]), sums.tobytes())

    def restore(self, slot: int, saved: SavedSums) -> None:
        """Take back what `save` returned; raises `ValueError` when it is of other labels."""
        flat = np.frombuffer(saved.sums)
        if len(flat) != PRODUCTS + self._targets[slot].size:
            raise ValueError("a surrogate of other labels")
        self.answers[slot] = saved.answers
        self._products[slot] = flat[:PRODUCTS]
        self._targets[slot] = flat[PRODUCTS:].reshape(self._targets[slot].shape)
