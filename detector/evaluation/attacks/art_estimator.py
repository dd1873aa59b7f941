"""A queried model as adversarial-robustness-toolbox (ART) sees it, and ART's source of chance.

An estimator answers only with what the API shows, query by query, through the attacker's budget.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from art.estimators.classification import BlackBoxClassifier, BlackBoxClassifierNeuralNetwork
from numpy.random import Generator

from detector.evaluation.attacks.attack import Attacker
from detector.evaluation.datasets import Coded


@contextmanager
def chance(rng: Generator) -> Iterator[None]:
    """Seed numpy's global source of chance, which ART draws from, and restore it afterwards."""
    state = np.random.get_state()
    np.random.seed(int(rng.integers(2**32)))
    try:
        yield
    finally:
        np.random.set_state(state)


def over_numbers(attacker: Attacker, record: Coded, spare: int = 0) -> BlackBoxClassifier:
    """Return the model over the k numbers of the cube; categories stay the record's, (D,).

    `spare` classes that no answer ever names come after the model's own.
    """
    numeric = attacker.space.numeric

    def predict(numbers: Coded) -> Coded:
        points = np.repeat(record[None], len(numbers), axis=0)
        points[:, numeric] = numbers
        return np.pad(attacker.ask(points).scores, ((0, 0), (0, spare)))

    classes = _classes(attacker) + spare
    return BlackBoxClassifier(predict, (len(numeric),), classes, clip_values=(0.0, 1.0))


def over_image(attacker: Attacker, record: Coded) -> BlackBoxClassifierNeuralNetwork:
    """Return the same model over one line of k pixels, (1, 1, k), for attacks that want images."""
    vector = over_numbers(attacker, record)
    return BlackBoxClassifierNeuralNetwork(
        lambda images: vector.predict_fn(images.reshape(len(images), -1)),
        (1, 1, *vector.input_shape),
        vector.nb_classes,
        clip_values=vector.clip_values,
    )


def over_rows(attacker: Attacker) -> BlackBoxClassifier:
    """Return the model over the d coded fields as they are."""
    fields = attacker.oracle.target.dataset.fields
    return BlackBoxClassifier(
        lambda rows: attacker.oracle.ask(rows.astype(np.float64)).scores,
        (len(fields),),
        _classes(attacker),
    )


def _classes(attacker: Attacker) -> int:
    return len(attacker.oracle.target.dataset.classes)
