"""Equation solving with random queries: Tramèr et al. 2016, sections 4.1 and 5.

The equations are solved offline; what the API sees are points drawn without regard to the data:
uniform in the box of field ranges, Gaussian about its middle, or spread evenly (McKay, Beckman and
Conover, "A Comparison of Three Methods for Selecting Values of Input Variables", 1979).
"""

import numpy as np

from detector.evaluation.attacks.attack import Attacker

BATCH = 32


def uniform(attacker: Attacker) -> None:
    """Ask for points uniform in the box."""
    attacker.ask(attacker.rng.random((BATCH, attacker.space.size)))


def gaussian(attacker: Attacker) -> None:
    """Ask for points about the middle of the box."""
    attacker.ask(np.clip(attacker.rng.normal(0.5, 0.2, (BATCH, attacker.space.size)), 0, 1))


def whole_numbers(attacker: Attacker) -> None:
    """Ask for uniform points on each field's natural grid, as a careful attacker would."""
    rows = attacker.space.decode(attacker.rng.random((BATCH, attacker.space.size)))
    attacker.oracle.ask(attacker.oracle.target.dataset.natural(rows))


def latin_hypercube(attacker: Attacker) -> None:
    """Ask for one design over the whole budget: n points, one in each nth of every coordinate."""
    n, size = attacker.oracle.left, attacker.space.size
    cells = attacker.rng.permuted(np.tile(np.arange(n), (size, 1)), axis=1).T
    attacker.ask((cells + attacker.rng.random((n, size))) / n)
