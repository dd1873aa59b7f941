"""Decision-based evasion.

Chen, Jordan and Wainwright, "HopSkipJumpAttack", IEEE S&P 2020, and the
boundary walk of Brendel et al., "Decision-Based Adversarial Attacks", ICLR 2018.
"""

import numpy as np

from detector.evaluation.attacks.attack import Attacker, unit
from detector.evaluation.datasets import Coded

BISECTIONS = 8
BATCH = 20


def _numeric_noise(attacker: Attacker, n: int) -> Coded:
    noise = np.zeros((n, attacker.space.size))
    numeric = attacker.space.numeric
    noise[:, numeric] = unit(attacker.rng.normal(size=(n, len(numeric))))
    return noise


def outside(attacker: Attacker, point: Coded, label: int, tries: int = 30) -> Coded | None:
    """Return a point of another class: random numbers in the record, then other records."""
    numeric = attacker.space.numeric
    for attempt in range(tries):
        other = point.copy() if attempt < tries // 2 else attacker.seeds(1)[0]
        if attempt < tries // 2:
            other[numeric] = attacker.rng.random(len(numeric))
        if int(attacker.ask(other).labels[0]) != label:
            return other
    return None


def _to_boundary(attacker: Attacker, point: Coded, other: Coded, label: int) -> Coded:
    near, far = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (near + far) / 2
        if int(attacker.ask(point + middle * (other - point)).labels[0]) == label:
            near = middle
        else:
            far = middle
    return point + far * (other - point)


def hop_skip_jump(attacker: Attacker, point: Coded, queries: int = 400) -> Coded | None:
    """Return a close point of another class; None when none was found.

    Bisect to the boundary, estimate its normal from a small sphere, step, and again.
    """
    spent = len(attacker.oracle)
    label = int(attacker.ask(point).labels[0])
    other = outside(attacker, point, label)
    if other is None:
        return None
    step = 0
    while len(attacker.oracle) - spent < queries:
        step += 1
        edge = _to_boundary(attacker, point, other, label)
        distance = float(np.linalg.norm(edge - point))
        noise = _numeric_noise(attacker, BATCH)
        radius = distance / np.sqrt(len(attacker.space.numeric))
        signs = np.where(attacker.ask(edge + radius * noise).labels == label, -1.0, 1.0)
        normal = unit(((signs - signs.mean() * (abs(signs.mean()) < 1))[:, None] * noise).mean(0))
        stride = distance / np.sqrt(step)
        other = edge
        for _ in range(6):
            candidate = np.clip(edge + stride * normal, 0, 1)
            if int(attacker.ask(candidate).labels[0]) != label:
                other = candidate
                break
            stride /= 2
    return other


def hop_skip_jump_records(attacker: Attacker) -> None:
    """Attack records of the attacker's own."""
    hop_skip_jump(attacker, attacker.seeds(1)[0])


def boundary_walk(attacker: Attacker) -> None:
    """Walk along the boundary towards the record: an orthogonal step, then one inwards."""
    point = attacker.seeds(1)[0]
    label = int(attacker.ask(point).labels[0])
    other = outside(attacker, point, label)
    if other is None:
        return
    other = _to_boundary(attacker, point, other, label)
    sideways, inwards = 0.1, 0.05
    for _ in range(40):
        gap = other - point
        length = float(np.linalg.norm(gap))
        noise = _numeric_noise(attacker, 10)
        noise -= np.outer(noise @ gap, gap) / max(length**2, 1e-12)
        around = other + sideways * length * unit(noise)
        good = attacker.ask(around).labels != label
        sideways *= 1.1 if good.mean() > 0.5 else 0.9
        if not good.any():
            continue
        candidate = around[good][0] + inwards * (point - around[good][0])
        if int(attacker.ask(candidate).labels[0]) != label:
            other, inwards = candidate, min(inwards * 1.1, 0.5)
        else:
            inwards *= 0.7
