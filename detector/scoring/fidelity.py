"""What a suspect could reproduce by now: surrogates that learn from the suspects' own answers.

A surrogate sees exactly what the client saw, in the client's order, and is scored on benign queries
of others that the reference keeps. It is a ridge regression on random Fourier features: the sums
that it keeps make one pass as good as many, which gradient steps over a few hundred answers are
not. Kernel models on such features come near the models that an attacker would fit offline
(docs/references.md has the comparison).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.events.names import Names
from detector.features.directory import NOBODY, Directory
from detector.reference.answers import AnswerSample
from detector.scoring.finding import (
    FIDELITY_EVIDENCE,
    Evidence,
    Finding,
    LogRange,
    StolenFidelity,
)
from detector.scoring.surrogates import SavedSums, Surrogates

MAX_SUSPECTS = 256


@dataclass(slots=True)
class _Suspect:
    """How credible the suspicion of a client is, and what it could reproduce."""

    credibility: float
    latest: StolenFidelity | None = None


class SavedSuspect(msgspec.Struct, frozen=True):
    """One suspect on the board, to be kept over a restart."""

    client_id: str
    credibility: float
    latest: tuple[float, float, int] | None
    surrogate: SavedSums


class FidelityBoard:
    """The suspects of one model and their surrogates, at most `limit` of them.

    What is said of a client depends on its own answers since it came onto the board, and on
    nothing else; only whether a full board has a place for it depends on the other suspects.
    """

    def __init__(self, sample: AnswerSample, limit: int = MAX_SUSPECTS) -> None:
        self._sample = sample
        self._limit = limit
        self._surrogates = Surrogates(sample)
        self._suspects: dict[str, _Suspect] = {}
        self._slots: dict[str, int] = {}
        self._directory = Directory(0)

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
            self._surrogates.changed[self._slots[client_id]] = True
        elif self._surrogates and self._limit and self._place(log_evidence):
            self._seat(client_id, log_evidence)

    def _seat(self, client_id: str, log_evidence: float) -> _Suspect:
        slot = self._slots[client_id] = self._surrogates.open()
        self._directory.enlarge(len(self._slots))
        self._directory.put(Names.of([client_id]), np.array([slot]))
        suspect = self._suspects[client_id] = _Suspect(log_evidence)
        return suspect

    def _place(self, log_evidence: float) -> bool:
        if len(self._suspects) < self._limit:
            return True
        weakest = min(self._suspects, key=lambda name: self._suspects[name].credibility)
        if self._suspects[weakest].credibility > log_evidence:
            return False
        del self._suspects[weakest]
        slot = self._slots.pop(weakest)
        self._surrogates.close(slot)
        self._directory.drop(np.arange(slot + 1) == slot)
        return True

    def learn(self, clients: Names, z: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        """Take answers in the order of the log; those to others than suspects pass.

        Args:
            clients: (n,) who asked.
            z: (n, d) scaled folded cells.
            labels: (n,) label codes, negative where there was no input or no label.
        """
        if not self._slots:
            return
        slots = self._directory.find(clients)
        if slots.max(initial=NOBODY) == NOBODY:
            return
        at = self._surrogates.learn(slots, z, labels, 0)
        while at < len(slots):
            self._measure(clients[at])
            at = self._surrogates.learn(slots, z, labels, at + 1)

    def _measure(self, client_id: str) -> None:
        slot = self._slots[client_id]
        agreement = self._surrogates.measure(slot)
        self._suspects[client_id].latest = StolenFidelity(
            round(agreement, 4),
            round(self._sample.chance, 4),
            int(self._surrogates.answers[slot]),
        )

    def names(self) -> list[str]:
        """Return who is on the board, in the order in which they came."""
        return list(self._suspects)

    def save(self, every: bool) -> Iterator[SavedSuspect]:
        """Return the suspects that changed since `saved`, or every one."""
        for name, suspect in self._suspects.items():
            slot = self._slots[name]
            if every or self._surrogates.changed[slot]:
                latest = suspect.latest
                yield SavedSuspect(
                    name, suspect.credibility,
                    (latest.agreement, latest.chance, latest.answers) if latest else None,
                    self._surrogates.save(slot),
                )  # fmt: skip

    def saved(self) -> None:
        """Note that everything so far is kept."""
        self._surrogates.changed[:] = False

    def restore(self, names: Sequence[str], suspects: Sequence[SavedSuspect]) -> None:
        """Take back the latest of each named suspect; raises `ValueError` when one is missing."""
        latest = {suspect.client_id: suspect for suspect in suspects}
        for name in names:
            known = latest.get(name)
            if known is None:
                raise ValueError("a suspect is missing")
            suspect = self._seat(name, known.credibility)
            suspect.latest = StolenFidelity(*known.latest) if known.latest else None
            self._surrogates.restore(self._slots[name], known.surrogate)
        self.saved()

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
