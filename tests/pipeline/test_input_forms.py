"""Embeddings and fingerprints as inputs, through learning and detection."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from detector.events.located import LocatedEvent
from detector.events.model import Input, ModelKey, Output, PredictionEvent
from detector.pipeline.detect import Detector
from detector.pipeline.learn import learn
from detector.pipeline.learning import DetectionPolicy
from detector.reference.picture import Reference
from detector.scoring.finding import AttackClass, Finding
from tests.scoring.traffic import event, interleave, located

WIDTH = 128
CLUSTERS = 10
CLASSES = 3
FACES = ModelKey("", "faces")
PRINTS = ModelKey("", "prints")

Vector = NDArray[np.float64]
Stream = list[PredictionEvent]

_world = np.random.default_rng(11)
CENTRES = _world.normal(size=(CLUSTERS, WIDTH))
WEIGHTS = _world.normal(size=(CLASSES, WIDTH)) / np.sqrt(WIDTH)


def record(rng: Generator, own: Sequence[int]) -> Vector:
    """An embedding near one of a client's own clusters, of any length."""
    centre = CENTRES[rng.choice(own)]
    vector: Vector = (centre + 0.5 * rng.normal(size=WIDTH)) * rng.uniform(0.5, 2.0)
    return vector


def embedding_event(client: str, number: int, vector: Vector) -> PredictionEvent:
    """What a model answers that looks at the direction only."""
    logits = WEIGHTS @ vector / np.linalg.norm(vector) * 8.0
    scores = np.exp(logits) / np.exp(logits).sum()
    return event(
        client,
        number,
        None,
        FACES,
        input=Input(embedding=vector.tolist()),
        output=Output(label=int(scores.argmax()), scores=scores.tolist()),
    )


def embeddings(client: str, seed: int, n: int = 60) -> Stream:
    """A client with some clusters of its own."""
    rng = np.random.default_rng(seed)
    own = rng.choice(CLUSTERS, size=3, replace=False).tolist()
    return [embedding_event(client, i, record(rng, own)) for i in range(n)]


def repeats(client: str, seed: int, n: int = 60) -> Stream:
    """A client that asks about the same few records again and again, as caches and retries do."""
    rng = np.random.default_rng(seed)
    few = [record(rng, [0, 1]) for _ in range(5)]
    return [embedding_event(client, i, few[int(rng.integers(5))]) for i in range(n)]


def finite_differences(client: str, seed: int, n: int = 300) -> Stream:
    """Pairs at a small radius on either side of one record (zeroth-order gradients)."""
    rng = np.random.default_rng(seed)
    base = record(rng, [2])
    vectors = [base]
    while len(vectors) < n:
        step = rng.normal(size=WIDTH)
        step *= 0.05 * np.linalg.norm(base) / np.linalg.norm(step)
        vectors += [base + step, base - step]
    return [embedding_event(client, i, vector) for i, vector in enumerate(vectors[:n])]


def print_event(client: str, number: int, prints: str | list[str]) -> PredictionEvent:
    return event(
        client,
        number,
        None,
        PRINTS,
        input=Input(fingerprint=prints),
        output=Output(label=number % 2),
    )


def distinct_prints(client: str, seed: int, n: int = 60) -> Stream:
    """One hash an input, no two alike."""
    rng = np.random.default_rng(seed)
    return [print_event(client, i, rng.bytes(16).hex()) for i in range(n)]


def field_prints(client: str, seed: int, n: int = 60) -> Stream:
    """A hash for each of eight fields that take few values."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 12, size=(n, 8))
    return [print_event(client, i, [f"{v:04x}" for v in row]) for i, row in enumerate(rows)]


def repeated_prints(client: str, seed: int, n: int = 60) -> Stream:
    """The same few inputs again and again."""
    rng = np.random.default_rng(seed)
    few = [rng.bytes(16).hex() for _ in range(4)]
    return [print_event(client, i, few[int(rng.integers(4))]) for i in range(n)]


Clients = Callable[[str, int], Stream]


@cache
def reference(model: ModelKey, *kinds: Clients) -> Reference:
    """Learnt from 60 clients of these kinds in turn."""
    streams = [kinds[k % len(kinds)](f"trusted-{k}", 100 + k) for k in range(60)]
    return learn(model, interleave(streams))


def alarms(events: Iterable[LocatedEvent], known: Reference) -> list[Finding]:
    """Findings above the severity that anomalies stay at."""
    detector = Detector(DetectionPolicy(), {known.model: known})
    findings = detector.process(list(events)).findings
    return [found for found in findings if found.attack_class is not AttackClass.ANOMALY]


@pytest.mark.parametrize("client", [embeddings, repeats])
def test_benign_clients_of_embeddings_raise_nothing(client: Clients) -> None:
    streams = [client(f"benign-{k}", 500 + k) for k in range(20)]
    assert alarms(interleave(streams), reference(FACES, embeddings, repeats)) == []


@pytest.mark.parametrize("seed", range(3))
def test_perturbations_of_one_embedding_are_found(seed: int) -> None:
    found = alarms(located(finite_differences("eve", seed)), reference(FACES, embeddings, repeats))
    assert {finding.client.client_id for finding in found} == {"eve"}
    assert min(finding.query for finding in found) <= 300


def test_the_length_of_embeddings_changes_no_verdict() -> None:
    """The cosine is all that counts, so a client cannot hide behind scaled vectors."""
    rng = np.random.default_rng(9)
    plain = finite_differences("eve", 1)
    scaled = [
        embedding_event("eve", i, np.array(item.input.embedding) * 2.0 ** rng.integers(-8, 8))
        for i, item in enumerate(plain)
        if item.input is not None
    ]
    known = reference(FACES, embeddings, repeats)
    verdicts = [
        [(found.technique, found.query) for found in alarms(located(stream), known)]
        for stream in (plain, scaled)
    ]
    assert verdicts[0]
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize("client", [distinct_prints, repeated_prints, field_prints])
def test_benign_clients_of_fingerprints_raise_nothing(client: Clients) -> None:
    streams = [client(f"benign-{k}", 500 + k) for k in range(20)]
    assert alarms(interleave(streams), reference(PRINTS, client)) == []
