"""Evasion by scores: a record's numbers are changed within a box until its label is another.

NES: Ilyas et al., "Black-box Adversarial Attacks with Limited Queries and Information", ICML 2018.
Greedy corners: Moon et al., "Parsimonious Black-Box Adversarial Attacks via Efficient Combinatorial
Optimization", ICML 2019, field by field instead of in a hierarchy of blocks, of which plain vectors
have none. Signs by halves: Al-Dujaili and O'Reilly, "Sign Bits Are All You Need for Black-Box
Attacks", ICLR 2020. Few fields: Su et al., "One Pixel Attack for Fooling Deep Neural Networks",
IEEE TEVC 2019, by differential evolution, whose children take both places and values from three
others.
"""

import numpy as np

from detector.evaluation.attacks.attack import Attacker
from detector.evaluation.attacks.evader import Evader, halved_blocks
from detector.evaluation.datasets import Coded

NES_SIZES = (0.1, 0.2)
NES_STEPS = 60
NES_PAIRS = 6
NES_SIGMA = 0.02
NES_STEP = 0.03

GREEDY_SIZES = (0.05, 0.1, 0.2)
GREEDY_ROUNDS = 6
GREEDY_GROWTH = 1.5

SIGN_ROUNDS = 4

FEW_FIELDS = 3
POPULATION = 20
GENERATIONS = 20
DIFFERENTIAL = 0.5


def _gradient(evader: Evader, numbers: Coded) -> Coded:
    """Estimate the gradient of the label's score from plus-minus pairs; chance on a plateau."""
    noise = evader.attacker.rng.normal(size=(NES_PAIRS, len(numbers)))
    pairs = np.stack([numbers + NES_SIGMA * noise, numbers - NES_SIGMA * noise], axis=1)
    scores = evader.trial(pairs.reshape(-1, len(numbers)))[0].reshape(-1, 2)
    gradient: Coded = ((scores[:, 0] - scores[:, 1])[:, None] * noise).mean(axis=0)
    return gradient if gradient.any() else noise[0]


def nes_evasion(attacker: Attacker) -> None:
    """Step against the sign of the score's estimated gradient, never far from the record."""
    evader, size = Evader.of_a_seed(attacker), float(attacker.rng.choice(NES_SIZES))
    numbers = evader.origin
    for _ in range(NES_STEPS):
        step = NES_STEP * np.sign(_gradient(evader, numbers))
        numbers = evader.ball(numbers - step, size)
        if evader.evades(numbers):
            return


def _greedy_round(evader: Evader, numbers: Coded, best: float, size: float) -> tuple[Coded, float]:
    """Move every number in turn to either side of the box; returns what had the lowest score."""
    for field in evader.attacker.rng.permutation(len(numbers)):
        for side in (size, -size):
            candidate = numbers.copy()
            candidate[field] = np.clip(evader.origin[field] + side, 0.0, 1.0)
            scores, evading = evader.trial(candidate)
            if evading[0]:
                return candidate, -np.inf
            if scores[0] < best:
                numbers, best = candidate, float(scores[0])
    return numbers, best


def greedy(attacker: Attacker) -> None:
    """Move numbers one at a time to sides of a box, keeping what lowers the label's score.

    The box grows after every round through all numbers.
    """
    evader, size = Evader.of_a_seed(attacker), float(attacker.rng.choice(GREEDY_SIZES))
    numbers, best = evader.origin, evader.score
    for _ in range(GREEDY_ROUNDS):
        numbers, best = _greedy_round(evader, numbers, best, size)
        if np.isneginf(best):
            return
        size *= GREEDY_GROWTH


def sign_bits(attacker: Attacker) -> None:
    """Ask for corners of a box, turning the signs of all numbers, of halves, of quarters and so on.

    A turn that lowers the label's score is kept. The box grows when single signs have been turned.
    """
    evader, size = Evader.of_a_seed(attacker), float(attacker.rng.choice(GREEDY_SIZES))
    signs, best = np.ones(len(evader.origin)), evader.score
    for _ in range(SIGN_ROUNDS):
        for block in halved_blocks(len(signs)):
            turned = signs.copy()
            turned[block] *= -1.0
            scores, evading = evader.trial(np.clip(evader.origin + size * turned, 0.0, 1.0))
            if evading[0]:
                return
            if scores[0] < best:
                signs, best = turned, float(scores[0])
        size *= GREEDY_GROWTH


def _with_few(evader: Evader, genes: Coded) -> Coded:
    """Return (n, k) numbers with the changes that (n, f, 2) genes, places and values, say."""
    count = len(evader.origin)
    numbers = np.repeat(evader.origin[None], len(genes), axis=0)
    places = np.minimum((genes[:, :, 0] * count).astype(np.intp), count - 1)
    np.put_along_axis(numbers, places, genes[:, :, 1], axis=1)
    return numbers


def _mutants(attacker: Attacker, genes: Coded) -> Coded:
    """Return as many genomes, each of three others: the first plus a part of a difference."""
    trios = np.array([attacker.rng.choice(len(genes), 3, replace=False) for _ in genes])
    first, second, third = genes[trios.T]
    mutants: Coded = np.clip(first + DIFFERENTIAL * (second - third), 0.0, 1.0)
    return mutants


def one_pixel(attacker: Attacker) -> None:
    """Evolve changes of a few numbers to any values; a mutant takes its forerunner's place."""
    evader = Evader.of_a_seed(attacker)
    fields = min(FEW_FIELDS, len(evader.origin))
    genes = attacker.rng.random((POPULATION, fields, 2))
    scores, evading = evader.trial(_with_few(evader, genes))
    for _ in range(GENERATIONS):
        if evading.any():
            return
        mutants = _mutants(attacker, genes)
        lower, evading = evader.trial(_with_few(evader, mutants))
        better = lower < scores
        genes = np.where(better[:, None, None], mutants, genes)
        scores = np.minimum(lower, scores)
