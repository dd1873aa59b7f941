"""What became of one simulated client, reduced to what the figures need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from detector.evaluation.fidelity_curve import FidelityGain
from detector.evaluation.observer import Verdict
from detector.evaluation.workload import Role
from detector.scoring.finding import AttackClass

NEVER = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client was simulated: the deployment's traits."""

    model_id: str
    dataset: str
    kind: str
    form: str
    wire: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One client: what it is, and what detection and the baselines said.

    Attributes:
        place: The deployment.
        role: What the client is in the evaluation.
        label: The benign kind, or the attack's variant.
        technique: The attack's technique; empty for a benign client.
        attack_class: The attack's class; None for a benign client.
        detectable: Whether a log can show the attack at all.
        share: Share of benign queries.
        queries: All queries.
        attack_queries: Those that belong to the attack.
        alarm: Ordinal of the query at which the first alarm came, None for never.
        alarm_attack: How many of the attack's queries had been made by then.
        named: Class of the most credible incident at the end, None for none.
        named_technique: Its technique.
        statements: Its evidence, strongest first.
        second_record: Ordinal at which the second record is finished, for attacks that go through
            records one after another.
        rivals: By baseline the ordinal of its first alarm, None for never; empty when not tried.
        fidelity: What a surrogate gained, for extraction.
        trail: Best log evidence by query, of clients that are drawn.
    """

    place: Place
    role: Role
    label: str
    technique: str
    attack_class: AttackClass | None
    detectable: bool
    share: float
    queries: int
    attack_queries: int
    alarm: int | None
    alarm_attack: int | None
    named: AttackClass | None
    named_technique: str
    statements: tuple[str, ...] = ()
    second_record: int | None = None
    rivals: Mapping[str, int | None] = field(default_factory=dict)
    fidelity: FidelityGain | None = None
    trail: tuple[tuple[int, float], ...] = ()

    @property
    def found(self) -> bool:
        """Whether an incident above `info` was opened."""
        return self.alarm is not None

    @property
    def named_right(self) -> bool:
        """Whether an attack goes by its own class at the end."""
        return self.named is not None and self.named is self.attack_class


def first_alarm(verdicts: Sequence[Verdict]) -> int | None:
    """Return the query at which the first incident above `info` stood, None for never."""
    return next((verdict.query for verdict in verdicts if verdict.alarm), NEVER)


def standing(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Return the most credible alarm that no other verdict explains better, as it last stood.

    As in an incident, what was superseded counts anew once it supersedes something itself.
    """
    superseded: set[str] = set()
    latest: dict[str, Verdict] = {}
    for verdict in verdicts:
        if verdict.technique not in superseded or verdict.supersedes:
            superseded.discard(verdict.technique)
            superseded.update(verdict.supersedes)
            latest[verdict.technique] = verdict
    left = [v for name, v in latest.items() if name not in superseded and v.alarm]
    return max(left, key=lambda verdict: verdict.log_evidence, default=None)
