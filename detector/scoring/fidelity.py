"""What a suspect could reproduce by now: surrogates that learn from the suspects' own answers.

A surrogate sees exactly what the client saw, in the client's order, and is scored on benign queries
of others that the reference keeps. It is a ridge regression on random Fourier features: the sums
that it keeps make one pass as good as many, which gradient steps over a few hundred answers are
not. Kernel models on such features come near the models that an attacker would fit offline
(docs/references.md has the comparison).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

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


class SavedSuspect(msgspec.Struct, frozen=True):
    """One suspect on the board, to be kept over a restart."""

    client_id: str
    credibility: float
    surrogate: SavedSums


class FidelityBoard:
    """The suspects of one model and their surrogates, at most `limit` of them.

    What is said of a client depends on its own answers since it came onto the board, and on
    nothing else; only whether a full board has a place for it depends on the other suspects.
    """

    def __init__(self, sample: AnswerSample, limit: int = MAX_SUSPECTS) -> None:
        self._chance = sample.chance
        self._limit = limit
        self._surrogates = Surrogates(sample)
        self._credibility: dict[str, float] = {}
        self._slots: dict[str, int] = {}
        self._directory = Directory(0)

    def __len__(self) -> int:
        """Return the number of suspects on the board."""
        return len(self._credibility)

    def __contains__(self, client_id: str) -> bool:
        """Return whether the client is on the board."""
        return client_id in self._credibility

    def suspect(self, client_id: str, log_evidence: float) -> None:
        """Follow a client from its next answer on, or note how credible the suspicion is by now.

        On a full board the least credible suspect gives way, of equals the one that came first,
        unless the new one is less credible than all. Without a sample nobody is followed.
        """
        if client_id in self:
            self._credibility[client_id] = log_evidence
            self._surrogates.changed[self._slots[client_id]] = True
        elif self._surrogates and self._limit and self._place(log_evidence):
            self._seat(client_id, log_evidence)

    def _seat(self, client_id: str, log_evidence: float) -> None:
        slot = self._slots[client_id] = self._surrogates.open()
        self._directory.enlarge(len(self._slots))
        self._directory.put(Names.of([client_id]), np.array([slot]))
        self._credibility[client_id] = log_evidence

    def _place(self, log_evidence: float) -> bool:
        if len(self._credibility) < self._limit:
            return True
        weakest = min(self._credibility, key=self._credibility.__getitem__)
        if self._credibility[weakest] > log_evidence:
            return False
        del self._credibility[weakest]
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
        if slots.max(initial=NOBODY) != NOBODY:
            self._surrogates.learn(slots, z, labels)

    def names(self) -> list[str]:
        """Return who is on the board, in the order in which they came."""
        return list(self._credibility)

    def save(self, every: bool) -> Iterator[SavedSuspect]:
        """Return the suspects that changed since `saved`, or every one."""
        for name, credibility in self._credibility.items():
            slot = self._slots[name]
            if every or self._surrogates.changed[slot]:
                yield SavedSuspect(name, credibility, self._surrogates.save(slot))

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
            self._seat(name, known.credibility)
            self._surrogates.restore(self._slots[name], known.surrogate)
        self.saved()

    def estimate(self, client_id: str) -> StolenFidelity | None:
        """Measure what a client could do by now; None without a surrogate or enough answers."""
        slot = self._slots.get(client_id)
        agreement = None if slot is None else self._surrogates.measure(slot)
        if slot is None or agreement is None:
            return None
        answers = int(self._surrogates.answers[slot])
        return StolenFidelity(round(agreement, 4), round(self._chance, 4), answers)


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
