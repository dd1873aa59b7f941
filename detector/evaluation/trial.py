"""One deployment evaluated: its reference learnt, its clients watched one by one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from detector.evaluation.attacks.attack import Attack
from detector.evaluation.baselines import baselines
from detector.evaluation.baselines.baseline import Baseline
from detector.evaluation.codes import class_indices, coded_rows
from detector.evaluation.datasets import Coded
from detector.evaluation.decoding import Log
from detector.evaluation.fidelity_curve import FidelityGain, Judge
from detector.evaluation.models import Target
from detector.evaluation.observer import Observer, Verdict
from detector.evaluation.outcome import Outcome, Place, first_alarm, standing
from detector.evaluation.records import Records
from detector.evaluation.space import Space
from detector.evaluation.streams import Service, Stream, interleave
from detector.evaluation.workload import (
    Case,
    Role,
    Workload,
    benign_cases,
    hidden_cases,
    pure_cases,
    reference_clients,
)
from detector.scoring.finding import AttackClass

RIVAL_QUERIES = 3000
"""Baselines see no more of a stream: PRADA's test grows with the square of its length."""


@dataclass(frozen=True, slots=True)
class Weeks:
    """A deployed model in the week of the reference and in the week that is judged."""

    before: Service
    now: Service
    place: Place


@dataclass(frozen=True, slots=True)
class Scope:
    """What is tried on a deployment.

    Attributes:
        attacks: The variants.
        kinds: Benign kinds of clients that are judged.
        reference_kinds: Benign kinds in the reference.
        load: How much of each.
        seed: Another seed gives other clients.
        turn: Number of the deployment in its split.
        rivals: Whether the baselines and the surrogates are tried too.
    """

    attacks: tuple[Attack, ...]
    kinds: tuple[str, ...]
    reference_kinds: tuple[str, ...]
    load: Workload
    seed: int
    turn: int
    rivals: bool = True


class Trial:
    """The evaluation of one deployment."""

    def __init__(self, weeks: Weeks, scope: Scope, observer: Observer) -> None:
        self._weeks = weeks
        self._scope = scope
        self._observer = observer
        self._log = Log("evaluation")
        self._target: Target = weeks.now.target
        self._space = Space(self._target.dataset)
        self._records = Records(self._target)
        self._judge = Judge(self._target, scope.seed) if scope.rivals else None
        self._rivals: Mapping[str, Baseline] = baselines(scope.seed) if scope.rivals else {}

    def outcomes(self) -> Iterator[Outcome]:
        """Learn the reference and yield the outcome of every client, in a fixed order."""
        scope = self._scope
        reference = list(
            reference_clients(self._weeks.before, scope.reference_kinds, scope.load, scope.seed)
        )
        self._observer.learn(Log("reference").read(interleave(reference)))
        for rival in self._rivals.values():
            rival.calibrate([self._points(stream) for stream in reference])
        yield from map(self._outcome, self._cases())

    def _cases(self) -> Iterator[Case]:
        scope, now = self._scope, self._weeks.now
        yield from benign_cases(now, scope.kinds, scope.load, scope.seed)
        pure: list[Case] = []
        for case in pure_cases(now, scope.attacks, scope.load, scope.seed):
            pure.append(case)
            yield case
        yield from hidden_cases(now, pure, scope.load, scope.seed, scope.turn)

    def _points(self, stream: Stream) -> Coded:
        return self._space.encode(coded_rows(self._target.dataset, stream.events))

    def _outcome(self, case: Case) -> Outcome:
        stream, attack = case.stream, case.stream.attack
        watched = self._observer.watch(self._log.read(stream.events))
        alarm, named = first_alarm(watched.verdicts), standing(watched.verdicts)
        return Outcome(
            place=self._weeks.place,
            role=case.role,
            label=attack.name if attack else stream.benign_kind or "",
            technique=attack.technique if attack else "",
            attack_class=attack.attack_class if attack else None,
            detectable=attack.detectable if attack else False,
            share=stream.benign_share,
            queries=len(stream.events),
            attack_queries=int(case.is_attack.sum()),
            alarm=alarm,
            alarm_attack=None if alarm is None else int(case.is_attack[:alarm].sum()),
            named=named.attack_class if named else None,
            named_technique=named.technique if named else "",
            statements=named.statements if named else (),
            second_record=self._records.second_end(stream) if case.role is Role.PURE else None,
            rivals=self._rival_alarms(case),
            fidelity=self._fidelity(case, watched.verdicts),
            trail=watched.trail if case.number == 0 else (),
        )

    def _rival_alarms(self, case: Case) -> dict[str, int | None]:
        """Try the baselines on pure streams and on the first benign clients of each kind."""
        tried = case.role is Role.PURE or (
            case.role is Role.BENIGN and case.number < self._scope.load.rival_clients
        )
        if not tried or not self._rivals:
            return {}
        stream = case.stream
        points = self._points(stream)[:RIVAL_QUERIES]
        labels = class_indices(self._target.dataset, stream.events)[:RIVAL_QUERIES]
        return {name: rival.alarm(points, labels) for name, rival in self._rivals.items()}

    def _fidelity(self, case: Case, verdicts: Sequence[Verdict]) -> FidelityGain | None:
        attack = case.stream.attack
        extraction = attack is not None and attack.attack_class is AttackClass.EXTRACTION
        if case.role is not Role.PURE or not extraction or self._judge is None:
            return None
        labels = class_indices(self._target.dataset, case.stream.events)
        return self._judge.gain(self._points(case.stream), labels, first_alarm(verdicts))
