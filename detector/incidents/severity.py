"""How much an incident matters: additive points, each explained, and the level they reach."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from detector.incidents.model import Severity, SeverityFactor
from detector.scoring.finding import FIDELITY_EVIDENCE, AttackClass, StolenFidelity

STEALING = frozenset({AttackClass.EXTRACTION, AttackClass.HARVESTING})
"""Classes in which the model is what is taken, so that a good copy makes matters worse."""


def _class_points() -> Mapping[AttackClass, float]:
    return {
        AttackClass.EXTRACTION: 25.0,
        AttackClass.INVERSION: 25.0,
        AttackClass.MEMBERSHIP: 25.0,
        AttackClass.EVASION: 20.0,
        AttackClass.HARVESTING: 10.0,
        AttackClass.ANOMALY: 0.0,
    }


def _identity_points() -> Mapping[str, float]:
    return {"principal": 0.0, "api_key": 0.0, "header": -3.0, "ip": -5.0}


def _levels() -> Mapping[Severity, float]:
    return {
        Severity.CRITICAL: 80.0,
        Severity.HIGH: 60.0,
        Severity.MEDIUM: 40.0,
        Severity.LOW: 20.0,
    }


@dataclass(frozen=True, slots=True)
class SeverityPolicy:
    """What each thing looked at is worth.

    Attributes:
        confidence_points: At confidence 1; falls linearly to 0 at confidence .5.
        class_points: By attack class: what the attacker would get away with.
        progress_points: At progress 1, linear.
        fidelity_points: At a surrogate that copies the model on all of others' queries; falls
            linearly to 0 at one that gained nothing over chance.
        calibrated_points: With a reference of benign traffic behind the judgement.
        uncalibrated_points: Without one.
        identity_points: By identity source; a shared address may be several clients. An unknown
            source counts as the worst.
        strong_confidence: An anomaly (unlike others, but like no known attack) is not an alarm
            below this confidence, whatever its points.
        levels: Fewest points of each level, highest level first; below all of them it is info.
    """

    confidence_points: float = 30.0
    class_points: Mapping[AttackClass, float] = field(default_factory=_class_points)
    progress_points: float = 25.0
    fidelity_points: float = 25.0
    calibrated_points: float = 5.0
    uncalibrated_points: float = -5.0
    identity_points: Mapping[str, float] = field(default_factory=_identity_points)
    strong_confidence: float = 0.9999
    levels: Mapping[Severity, float] = field(default_factory=_levels)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the severity looks at."""

    attack_class: AttackClass
    confidence: float
    progress: float
    calibrated: bool
    identity_source: str
    fidelity: StolenFidelity | None = None


def judge(
    case: Circumstances, policy: SeverityPolicy
) -> tuple[Severity, tuple[SeverityFactor, ...]]:
    """Return the level and the factors that it adds up from."""
    factors = (
        _confidence(case, policy),
        SeverityFactor(
            "attack_class",
            str(case.attack_class),
            policy.class_points[case.attack_class],
            f"what {case.attack_class} costs the owner of the model",
        ),
        SeverityFactor(
            "progress",
            case.progress,
            round(policy.progress_points * case.progress, 2),
            f"{case.progress:.0%} of the queries that published attacks of this kind need",
        ),
        *_fidelity(case, policy),
        _calibration(case, policy),
        _identity(case, policy),
    )
    doubtful = (
        case.attack_class is AttackClass.ANOMALY and case.confidence < policy.strong_confidence
    )
    if doubtful:
        return Severity.INFO, (*factors, _cap(factors, policy))
    return _level(sum(factor.points for factor in factors), policy), factors


def _level(points: float, policy: SeverityPolicy) -> Severity:
    reached = (level for level, least in policy.levels.items() if points >= least)
    return next(reached, Severity.INFO)


def _confidence(case: Circumstances, policy: SeverityPolicy) -> SeverityFactor:
    above_even = max(0.0, min(1.0, 2 * case.confidence - 1))
    return SeverityFactor(
        "confidence",
        case.confidence,
        round(policy.confidence_points * above_even, 2),
        "probability that this attack, not benign use, explains the log",
    )


def _fidelity(case: Circumstances, policy: SeverityPolicy) -> tuple[SeverityFactor, ...]:
    """The factor, where an estimate stands behind a case that is about the model itself."""
    stolen = case.fidelity
    if stolen is None or case.attack_class not in STEALING:
        return ()
    points = round(policy.fidelity_points * stolen.gain, 2)
    reason = (
        f"could reproduce {stolen.agreement:.0%} of the answers that others got "
        f"(chance {stolen.chance:.0%}) after {stolen.answers:,} answers"
    )
    return (SeverityFactor(FIDELITY_EVIDENCE, stolen.agreement, points, reason),)


def _calibration(case: Circumstances, policy: SeverityPolicy) -> SeverityFactor:
    if case.calibrated:
        reason = "judged against a reference of benign traffic"
        return SeverityFactor("calibrated", True, policy.calibrated_points, reason)
    reason = "no reference of benign traffic was there yet"
    return SeverityFactor("calibrated", False, policy.uncalibrated_points, reason)


def _identity(case: Circumstances, policy: SeverityPolicy) -> SeverityFactor:
    points = policy.identity_points.get(case.identity_source)
    if points is None:
        points = min(policy.identity_points.values(), default=0.0)
    return SeverityFactor(
        "identity", case.identity_source, points, f"the client is known by {case.identity_source}"
    )


def _cap(factors: tuple[SeverityFactor, ...], policy: SeverityPolicy) -> SeverityFactor:
    """The factor that takes an anomaly down to where no level is reached."""
    points = sum(factor.points for factor in factors)
    lowest = min(policy.levels.values())
    return SeverityFactor(
        "novelty_cap",
        policy.strong_confidence,
        round(min(0.0, lowest - 1 - points), 2),
        "unlike other clients but like no known attack: no alarm below this confidence",
    )
