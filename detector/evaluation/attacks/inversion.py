"""Model inversion by queries alone.

Confidence ascent: Fredrikson et al., "Model Inversion Attacks that Exploit Confidence
Information", CCS 2015 (MIFace), with zeroth-order gradients: antithetic pairs (NES, Ilyas et al.,
ICML 2018), differences field by field, forward or central, or one pair of random signs a step
(Spall, "Multivariate Stochastic Approximation Using a Simultaneous Perturbation Gradient
Approximation", IEEE TAC 1992), or by pattern search (Hooke and Jeeves, "'Direct Search' Solution of
Numerical and Statistical Problems", JACM 1961). Label-only spheres: Kahla et al., "Label-Only Model
Inversion Attacks via Boundary Repulsion", CVPR 2022 (BREP-MI). Attribute sweep: Fredrikson et al.,
"Privacy in Pharmacogenetics", USENIX Security 2014.
"""

from collections.abc import Callable

import numpy as np

from detector.evaluation.attacks.attack import Attacker, unit
from detector.evaluation.datasets import Coded

NES_PAIRS = 8
NES_STEP = 0.05
NES_SIGMA = 0.05
RANDOM_START_PAIRS = (4, 12)
RANDOM_START_SIGMAS = (0.02, 0.1)
FORWARD_STEP = 0.02
CENTRAL_STEPS = (0.005, 0.05)
CENTRAL_SHARES = (1.0, 0.4)
PATTERN_STEPS = (0.05, 0.25)
SMALLEST_STEP = 0.005
SPSA_STEPS = 480
SPSA_PATIENCE = 20
SMALLEST_SCORE = 1e-6


Begin = Callable[[Attacker], Coded]


def start(attacker: Attacker) -> Coded:
    """Return the grey image, or a natural record; categories stay what they are."""
    point: Coded = attacker.seeds(1)[0]
    if attacker.rng.random() < 0.5:
        point[attacker.space.numeric] = 0.5
    return point


def _natural(attacker: Attacker) -> Coded:
    point: Coded = attacker.seeds(1)[0]
    return point


def _random(attacker: Attacker) -> Coded:
    """Return a point whose numbers are random and whose categories are a natural record's."""
    point: Coded = attacker.seeds(1)[0]
    point[attacker.space.numeric] = attacker.rng.random(len(attacker.space.numeric))
    return point


def _antithetic(
    attacker: Attacker, begin: Begin, elsewhere: Begin, *, pairs: int, sigma: float
) -> None:
    """Climb one class's score; where a plateau tells nothing, begin elsewhere."""
    victim, point = attacker.victim_class(), begin(attacker)
    numeric = attacker.space.numeric
    for _ in range(60):
        noise = np.zeros((pairs, len(point)))
        noise[:, numeric] = attacker.rng.normal(size=(pairs, len(numeric)))
        both = np.stack([point + sigma * noise, point - sigma * noise], axis=1)
        scores = attacker.ask(both.reshape(-1, len(point))).scores[:, victim].reshape(-1, 2)
        gradient = ((scores[:, 0] - scores[:, 1])[:, None] * noise).mean(axis=0)
        if not gradient.any():
            point = elsewhere(attacker)
            continue
        point = np.clip(point + NES_STEP * unit(gradient) * np.sqrt(len(numeric)) / 2, 0, 1)


def antithetic_ascent(attacker: Attacker) -> None:
    """Climb one class's score with plus-minus pairs about a moving point."""
    _antithetic(attacker, start, _natural, pairs=NES_PAIRS, sigma=NES_SIGMA)


def random_start_ascent(attacker: Attacker) -> None:
    """Climb one class's score from random points, with few or many pairs, near or far."""
    pairs = int(attacker.rng.choice(RANDOM_START_PAIRS))
    sigma = float(attacker.rng.choice(RANDOM_START_SIGMAS))
    _antithetic(attacker, _random, _random, pairs=pairs, sigma=sigma)


def _climbed(point: Coded, gradient: Coded, fields: int, *, highest: float) -> Coded:
    """Return a point a step up the gradient, which is as long as so many fields make it."""
    moved: Coded = np.clip(point + 0.1 * np.sqrt(fields) / 2 * unit(gradient), 0.0, highest)
    return moved


def forward_ascent(attacker: Attacker) -> None:
    """Climb one class's score, one forward difference for every coordinate and step."""
    victim, point, numeric = attacker.victim_class(), start(attacker), attacker.space.numeric
    for _ in range(30):
        probes = np.repeat(point[None], len(numeric) + 1, axis=0)
        probes[np.arange(1, len(probes)), numeric] += FORWARD_STEP
        scores = attacker.ask(probes).scores[:, victim]
        gradient = np.zeros_like(point)
        gradient[numeric] = (scores[1:] - scores[0]) / FORWARD_STEP
        if not gradient.any():
            point = attacker.seeds(1)[0]
            continue
        moved = _climbed(point, gradient, len(numeric), highest=0.98)
        if np.allclose(moved, point):  # in a corner of the cube
            return
        point = moved


def central_ascent(attacker: Attacker) -> None:
    """Climb one class's score by plus-minus pairs, one field each: of all fields, or of some.

    Where it begins (grey, a natural record or anywhere), how wide the pairs are and how many
    fields a step takes are the attacker's choice.
    """
    victim, numeric, rng = attacker.victim_class(), attacker.space.numeric, attacker.rng
    begin = (start, _natural, _random)[int(rng.integers(3))]
    width = float(np.exp(rng.uniform(*np.log(CENTRAL_STEPS))))
    taken = max(1, round(float(rng.choice(CENTRAL_SHARES)) * len(numeric)))
    point = begin(attacker)
    while attacker.oracle.left:
        fields = rng.choice(numeric, taken, replace=False)
        pairs = np.repeat(point[None], 2 * taken, axis=0)
        pairs[np.arange(0, 2 * taken, 2), fields] += width
        pairs[np.arange(1, 2 * taken, 2), fields] -= width
        scores = attacker.ask(pairs).scores[:, victim].reshape(-1, 2)
        gradient = np.zeros_like(point)
        gradient[fields] = scores[:, 0] - scores[:, 1]
        if not gradient.any():
            point = begin(attacker)
            continue
        moved = _climbed(point, gradient, taken, highest=1.0)
        if np.allclose(moved, point):  # in a corner of the cube
            return
        point = moved


def pattern_ascent(attacker: Attacker) -> None:
    """Climb one class's score by steps of one field each, kept where they lead higher.

    After a round of all fields the whole way of the round is gone once more; where none led
    higher, steps are halved (Hooke and Jeeves).
    """
    victim, numeric, rng = attacker.victim_class(), attacker.space.numeric, attacker.rng
    point = (start, _natural, _random)[int(rng.integers(3))](attacker)
    step = float(np.exp(rng.uniform(*np.log(PATTERN_STEPS))))
    best = float(attacker.ask(point).scores[0, victim])
    while step > SMALLEST_STEP:
        before, reached = point, best
        for field in rng.permutation(numeric):
            for sign in (1.0, -1.0):
                tried = point.copy()
                tried[field] = np.clip(tried[field] + sign * step, 0.0, 1.0)
                score = float(attacker.ask(tried).scores[0, victim])
                if score > best:
                    point, best = tried, score
                    break
        if best == reached:
            step /= 2
            continue
        ahead = point.copy()
        ahead[numeric] = np.clip(2 * point[numeric] - before[numeric], 0.0, 1.0)
        score = float(attacker.ask(ahead).scores[0, victim])
        if score > best:
            point, best = ahead, score


def simultaneous_ascent(attacker: Attacker) -> None:
    """Climb one class's score with one random-sign pair a step; both gains decay (SPSA).

    The exponents are Spall's and it is the log score that climbs, which far from the class says
    more; a long plateau tells nothing, so the search begins elsewhere.
    """
    victim, numeric, rng = attacker.victim_class(), attacker.space.numeric, attacker.rng
    point, idle = start(attacker), 0
    first_step, first_probe = rng.uniform(0.1, 0.3), rng.uniform(0.03, 0.1)
    for k in range(SPSA_STEPS):
        signs = np.zeros_like(point)
        signs[numeric] = rng.choice([-1.0, 1.0], len(numeric))
        probe = first_probe / (k + 1) ** 0.101
        pair = np.stack([point + probe * signs, point - probe * signs])
        plus, minus = np.log(np.maximum(attacker.ask(pair).scores[:, victim], SMALLEST_SCORE))
        idle = idle + 1 if plus == minus else 0
        if idle == SPSA_PATIENCE:
            point, idle = attacker.seeds(1)[0], 0
            continue
        step = first_step / (k + 1 + 0.1 * SPSA_STEPS) ** 0.602
        climb = np.clip((plus - minus) / (2 * probe), -1.0, 1.0)
        point = np.clip(point + step * climb * signs, 0.0, 1.0)


def _spheres(attacker: Attacker, points: int, radius: float, growth: float) -> None:
    """Move away from the points of a sphere that leave the class; widen it when none does."""
    victim, numeric = attacker.victim_class(), attacker.space.numeric
    centre = attacker.seeds(1)[0]
    for candidate in attacker.seeds(40):
        if int(attacker.ask(candidate).labels[0]) == victim:
            centre = candidate
            break
    radius *= float(attacker.rng.uniform(0.5, 2.0))
    for _ in range(40):
        offsets = np.zeros((points, len(centre)))
        offsets[:, numeric] = unit(attacker.rng.normal(size=(points, len(numeric))))
        labels = attacker.ask(centre + radius * offsets).labels
        left = labels != victim
        if not left.any():
            radius *= growth
            continue
        centre = np.clip(centre - radius * unit(offsets[left].mean(axis=0)), 0, 1)


def sphere_sampling(attacker: Attacker) -> None:
    """Repel from the boundary with spheres of 32 points."""
    _spheres(attacker, points=32, radius=0.2, growth=1.3)


def wide_spheres(attacker: Attacker) -> None:
    """Repel from the boundary with spheres of 48 points that begin small and grow fast."""
    _spheres(attacker, points=48, radius=0.08, growth=1.8)


def _sweep_values(attacker: Attacker, column: int) -> Coded:
    field = attacker.oracle.target.dataset.fields[column]
    if field.is_categorical:
        return np.arange(len(field.categories), dtype=np.float64)
    known = np.unique(attacker.natural[:, column])
    known = known[~np.isnan(known)]
    if len(known) <= 10:
        return known
    return attacker.oracle.target.dataset.natural(
        np.full((10, len(attacker.oracle.target.dataset.fields)), 0.0)
        + np.linspace(field.low, field.high, 10)[:, None]
    )[:, column]


def _sweep(attacker: Attacker, *, shuffled: bool) -> None:
    fields = attacker.oracle.target.dataset.fields
    categorical = [j for j, f in enumerate(fields) if f.is_categorical and len(f.categories) > 1]
    spread = [j for j, f in enumerate(fields) if f.high > f.low]
    column = int(attacker.rng.choice(categorical or spread))
    values = _sweep_values(attacker, column)
    for record in attacker.rng.permutation(attacker.candidates):
        rows = np.repeat(record[None], len(values), axis=0)
        rows[:, column] = attacker.rng.permutation(values) if shuffled else values
        attacker.oracle.ask(rows)


def attribute_sweep(attacker: Attacker) -> None:
    """For record after record, ask for every value of the one sensitive field."""
    _sweep(attacker, shuffled=False)


def shuffled_sweep(attacker: Attacker) -> None:
    """Ask for the values in a fresh random order for each record."""
    _sweep(attacker, shuffled=True)
