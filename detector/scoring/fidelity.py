"""What a suspect could reproduce by now: surrogates that learn from the suspects' own answers.

A surrogate sees exactly what the client saw, in the client's order, and is scored on benign queries
of others that the reference keeps. It is river's Bayesian linear regression, one label against the
rest, on random Fourier features: the sums that it keeps make one pass as good as many, which
gradient steps over a few hundred answers are not. Kernel models on such features come near the
models that an attacker would fit offline (docs/references.md has the comparison).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray
from river.linear_model import BayesianLinearRegression

from detector.reference.answers import FEATURES, AnswerSample
from detector.scoring.finding import (
    FIDELITY_EVIDENCE,
    Evidence,
    Finding,
    LogRange,
    StolenFidelity,
)

MAX_SUSPECTS = 256
FIRST_MEASURE = 16
GROWTH = 1.25
ALL_ANSWERS = 4096
THINNING = 16
_BIAS = "bias"


class Surrogate:
    """A model of a model, learnt from one client's answers."""

    def __init__(self, labels: NDArray[np.float64]) -> None:
        """`labels` are the (k,) distinct label codes to tell apart; k is at least 2."""
        # Two labels are one question; more are as many, each label against the rest.
        asked = labels[1:] if len(labels) == 2 else labels
        self._labels = labels
        self._models = {float(label): BayesianLinearRegression() for label in asked}

    def learn(self, features: NDArray[np.float64], label: float) -> None:
        """Learn one answer; a label that is none of those to tell apart counts as none of them."""
        x = _inputs(features)
        for own, model in self._models.items():
            model.learn_one(x, 1.0 if own == label else -1.0)

    def predict(self, features: NDArray[np.float64]) -> float:
        """Return the label code for one query's features."""
        x = _inputs(features)
        values = [model.predict_one(x) for model in self._models.values()]
        if len(self._models) == 1:
            return float(self._labels[int(values[0] > 0.0)])
        return float(self._labels[int(np.argmax(values))])

    def save(self) -> list[bytes]:
        """Return the models' sums, for `restore` of a surrogate of the same labels."""
        return [
            np.ascontiguousarray(getattr(model, name)).tobytes()
            for model in self._models.values()
            for name in _SUMS
        ]

    def restore(self, saved: Sequence[bytes]) -> None:
        """Take the sums back; raises `ValueError` when they are of other labels."""
        bodies = iter(saved)
        if len(saved) != len(_SUMS) * len(self._models):
            raise ValueError("a surrogate of other labels")
        for model in self._models.values():
            for name, body in zip(_SUMS, bodies, strict=False):
                _restore_sum(model, name, np.frombuffer(body))


# What river's Bayesian linear regression keeps: precision, covariance, natural mean.
_SUMS = ("_ss_arr", "_ss_inv_arr", "_eta_arr")


def _restore_sum(model: BayesianLinearRegression, name: str, flat: NDArray[np.float64]) -> None:
    if name == "_eta_arr":
        size = len(flat)
        setattr(model, name, flat.copy())
        model._idx = {_BIAS: 0, **{i: i + 1 for i in range(FEATURES)}} if size else {}
        model._cap, model._m_dirty = size, True
        return
    size = int(np.sqrt(len(flat)))
    # Sherman and Morrison's update works in place on columns.
    square = flat.reshape(size, size)
    setattr(model, name, np.asfortranarray(square) if name == "_ss_inv_arr" else square.copy())


def _inputs(features: NDArray[np.float64]) -> dict[str | int, float]:
    return {_BIAS: 1.0, **dict(enumerate(features.tolist()))}


@dataclass(slots=True)
class _Suspect:
    """A suspect's surrogate, and how credible the suspicion is."""

    surrogate: Surrogate
    credibility: float
    answers: int = 0
    due: int = FIRST_MEASURE
    latest: StolenFidelity | None = None


class SavedSuspect(msgspec.Struct, frozen=True):
    """One suspect on the board, to be kept over a restart; `sums` are the surrogate's."""

    client_id: str
    credibility: float
    answers: int
    due: int
    latest: tuple[float, float, int] | None
    sums: list[bytes]


class FidelityBoard:
    """The suspects of one model and their surrogates, at most `limit` of them.

    What is said of a client depends on its own answers since it came onto the board, and on
    nothing else; only whether a full board has a place for it depends on the other suspects.
    """

    def __init__(self, sample: AnswerSample, limit: int = MAX_SUSPECTS) -> None:
        self._sample = sample
        self._limit = limit
        self._labels = np.unique(sample.labels)
        self._suspects: dict[str, _Suspect] = {}
        self._changed: set[str] = set()

    def __len__(self) -> int:
        """Return the number of suspects on the board."""
        return len(self._suspects)

    def __contains__(self, client_id: str) -> bool:
        """Return whether the client is on the board."""
        return client_id in self._suspects

    def suspect(self, client_id: str, log_evidence: float) -> None:
        """Follow a client from its next answer on, or note how credible the suspicion is by now.

        On a full board the least credible suspect gives way, of equals the one that came first,
        unless the new one is less credible than all. Without a sample nobody is followed.
        """
        known = self._suspects.get(client_id)
        if known is not None:
            known.credibility = log_evidence
        elif len(self._labels) and self._limit and self._place(log_evidence):
            self._suspects[client_id] = _Suspect(Surrogate(self._labels), log_evidence)
        self._changed.add(client_id)

    def _place(self, log_evidence: float) -> bool:
        if len(self._suspects) < self._limit:
            return True
        weakest = min(self._suspects, key=lambda name: self._suspects[name].credibility)
        if self._suspects[weakest].credibility > log_evidence:
            return False
        del self._suspects[weakest]
        return True

    def learn(self, client_id: str, z_row: NDArray[np.float32], label: int) -> None:
        """Take one answer to a suspect: scaled folded cells (d,) and a label code; others pass.

        Beyond `ALL_ANSWERS` answers only every `THINNING`-th is learnt, so that a suspect who
        floods the model costs little.
        """
        suspect = self._suspects.get(client_id)
        if suspect is None or label < 0:
            return
        self._changed.add(client_id)
        suspect.answers += 1
        if suspect.answers <= ALL_ANSWERS or suspect.answers % THINNING == 0:
            suspect.surrogate.learn(self._sample.project(z_row), float(label))
        if suspect.answers >= suspect.due:
            suspect.latest = self._measure(suspect)
            suspect.due = int(np.ceil(suspect.answers * GROWTH))

    def _measure(self, suspect: _Suspect) -> StolenFidelity:
        predicted = [suspect.surrogate.predict(row) for row in self._sample.features]
        agreement = float(np.mean(np.array(predicted) == self._sample.labels))
        return StolenFidelity(round(agreement, 4), round(self._sample.chance, 4), suspect.answers)

    def names(self) -> list[str]:
        """Return who is on the board, in the order in which they came."""
        return list(self._suspects)

    def save(self, every: bool) -> Iterator[SavedSuspect]:
        """Return the suspects that changed since `saved`, or every one."""
        for name, suspect in self._suspects.items():
            if every or name in self._changed:
                latest = suspect.latest
                yield SavedSuspect(
                    name, suspect.credibility, suspect.answers, suspect.due,
                    (latest.agreement, latest.chance, latest.answers) if latest else None,
                    suspect.surrogate.save(),
                )  # fmt: skip

    def saved(self) -> None:
        """Note that everything so far is kept."""
        self._changed.clear()

    def restore(self, names: Sequence[str], suspects: Sequence[SavedSuspect]) -> None:
        """Take back the latest of each named suspect; raises `ValueError` when one is missing."""
        latest = {suspect.client_id: suspect for suspect in suspects}
        for name in names:
            known = latest.get(name)
            if known is None:
                raise ValueError("a suspect is missing")
            surrogate = Surrogate(self._labels)
            surrogate.restore(known.sums)
            measured = StolenFidelity(*known.latest) if known.latest else None
            self._suspects[name] = _Suspect(
                surrogate, known.credibility, known.answers, known.due, measured
            )

    def estimate(self, client_id: str) -> StolenFidelity | None:
        """Return the latest measure; None for who is not followed or has too few answers yet."""
        suspect = self._suspects.get(client_id)
        return None if suspect is None else suspect.latest


def with_fidelity(finding: Finding, estimate: StolenFidelity | None) -> Finding:
    """Return the finding with the estimate and a statement of it, where there is one."""
    if estimate is None:
        return finding
    return replace(
        finding, fidelity=estimate, evidence=(*finding.evidence, _statement(finding, estimate))
    )


def _statement(finding: Finding, estimate: StolenFidelity) -> Evidence:
    at = finding.position
    return Evidence(
        FIDELITY_EVIDENCE,
        f"could reproduce {estimate.agreement:.0%} of the answers that others got "
        f"(chance {estimate.chance:.0%}) after {estimate.answers:,} answers",
        {
            "agreement": estimate.agreement,
            "chance": estimate.chance,
            "answers": estimate.answers,
        },
        (LogRange(at.topic, at.partition, at.offset, at.offset),),
    )
