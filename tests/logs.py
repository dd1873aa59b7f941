"""A small log with known truth: people asking a credit model, and one who searches its splits."""

import json
import math
import random
from pathlib import Path
from typing import Any

THIEF = "thief"
MODEL = "credit"
FIELDS = {"age": (18.0, 80.0), "amount": (100.0, 20_000.0), "months": (6.0, 60.0)}
_START_MS = 1_750_000_000_000


def write_benign_log(path: Path, seed: int = 1, clients: int = 60) -> Path:
    """A stretch of traffic that one may trust."""
    rng = random.Random(seed)
    return _write(path, _benign(rng, clients), seed)


def write_attacked_log(path: Path, seed: int = 2, clients: int = 30) -> Path:
    """Benign clients and, among them, one that finds split points by bisection."""
    rng = random.Random(seed)
    return _write(path, [*_benign(rng, clients), *_bisection(rng)], seed)


def _benign(rng: random.Random, clients: int) -> list[tuple[float, str, dict[str, Any]]]:
    return [
        (rng.random() * 1e7, f"benign-{client}", _person(rng))
        for client in range(clients)
        for _ in range(rng.randint(30, 60))
    ]


def _person(rng: random.Random) -> dict[str, Any]:
    return {
        "age": rng.randint(18, 80),
        "amount": round(rng.lognormvariate(8, 0.5)),
        "months": rng.choice([6, 12, 24, 36, 60]),
        "purpose": rng.choice(["car", "house", "other"]),
    }


def _bisection(rng: random.Random) -> list[tuple[float, str, dict[str, Any]]]:
    """Fix all fields but one, ask at both ends, then halve towards a change of the label."""
    queries = []
    for _ in range(4):
        person = _person(rng)
        for name, (low, high) in FIELDS.items():
            below, above = low, high
            asked = [below, above]
            label_below = _answer(person | {name: below})["label"]
            for _ in range(20):
                middle = (below + above) / 2
                asked.append(middle)
                if _answer(person | {name: middle})["label"] == label_below:
                    below = middle
                else:
                    above = middle
            queries += [person | {name: value} for value in asked]
    return [(1e6 + 1000.0 * i, THIEF, query) for i, query in enumerate(queries)]


def _answer(person: dict[str, Any]) -> dict[str, Any]:
    score = 0.05 * (person["age"] - 45) - 0.0003 * (person["amount"] - 3_000)
    good = round(1 / (1 + math.exp(-score)), 4)
    return {
        "label": "good" if good >= 0.5 else "bad",
        "scores": {"good": good, "bad": round(1 - good, 4)},
    }


def _write(path: Path, queries: list[tuple[float, str, dict[str, Any]]], seed: int) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for i, (at, client, fields) in enumerate(sorted(queries, key=lambda query: query[0])):
            event = {
                "event_id": f"{seed}-{i}",
                "time": _START_MS + int(at),
                "client_id": client,
                "model_id": MODEL,
                "input": {"fields": fields},
                "output": _answer(fields),
            }
            file.write(json.dumps(event) + "\n")
    return path
