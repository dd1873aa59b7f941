"""What the page draws: shares found against the query, and evidence against the query."""

from collections.abc import Sequence
from dataclasses import dataclass

from detector.evaluation.metrics import found_by, grouped
from detector.evaluation.outcome import Outcome
from detector.evaluation.workload import Role

GRID = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 330, 512, 768, 1024)
ATTACK_TRAILS = 10
BENIGN_TRAILS = 10


@dataclass(frozen=True, slots=True)
class Trail:
    """Best log evidence of one client by query.

    Attributes:
        client: The benign kind or the attack's variant, and the deployment.
        attack_class: The attack's class; None for a benign client.
        alarm: Ordinal of the query at which the first alarm came, None for never.
        points: Pairs of a query's ordinal and the log evidence there.
    """

    client: str
    attack_class: str | None
    alarm: int | None
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """Lines to draw.

    Attributes:
        queries: The ordinals at which `found` is given.
        found: By attack class the share of pure streams found by each of them.
        evidence: A few clients of both sorts.
    """

    queries: tuple[int, ...]
    found: dict[str, tuple[float, ...]]
    evidence: tuple[Trail, ...]


def curves_of(outcomes: Sequence[Outcome]) -> Curves:
    """Return the lines; the clients drawn are those of the most techniques and kinds."""
    pure = [o for o in outcomes if o.role is Role.PURE and o.detectable]
    benign = [o for o in outcomes if o.role is Role.BENIGN]
    classes = grouped(pure, lambda o: str(o.attack_class))
    return Curves(
        queries=GRID,
        found={
            name: tuple(found_by(group, query) for query in GRID)
            for name, group in sorted(classes.items())
        },
        evidence=(
            *_trails(grouped(pure, lambda o: o.technique), ATTACK_TRAILS),
            *_trails(grouped(benign, lambda o: o.label), BENIGN_TRAILS),
        ),
    )


def _trails(groups: dict[str, list[Outcome]], count: int) -> list[Trail]:
    """Return one client of each group, each from another deployment where there are enough."""
    trails: list[Trail] = []
    for number, group in enumerate(groups.values()):
        drawn = [o for o in group if o.trail]
        if drawn and len(trails) < count:
            one = drawn[number % len(drawn)]
            client = f"{one.label} on {one.place.model_id}"
            name = None if one.attack_class is None else str(one.attack_class)
            trails.append(Trail(client, name, one.alarm, one.trail))
    return trails
