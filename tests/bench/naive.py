"""What one would write first: the same job in plain Python, river on every event.

JSON by the standard library, one object an event, lists for each client, half-space trees that
score and learn every input, and a row for every finding.
"""

import json
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from river.anomaly import HalfSpaceTrees
from sqlalchemy import Column, Connection, Float, MetaData, Table, Text, create_engine

from tests.bench.bare import read
from tests.bench.log import Log
from tests.bench.timing import Speed

REMEMBERED = 16
SUSPICIOUS = 0.99
WARM_UP = 500
REACH = 4.0

findings = Table("findings", MetaData(), Column("client_id", Text), Column("score", Float))


@dataclass
class Event:
    """One prediction."""

    client_id: str
    time: int
    features: list[float]
    scores: list[float]


class Client:
    """What is remembered of a client."""

    def __init__(self) -> None:
        self.times: list[int] = []
        self.inputs: list[list[float]] = []
        self.distances: list[float] = []

    def add(self, event: Event) -> float:
        """Remember an event; returns the mean distance of late inputs to the nearest before."""
        if self.inputs:
            nearest = min(math.dist(event.features, other) for other in self.inputs)
            self.distances.append(nearest)
        self.times.append(event.time)
        self.inputs.append(event.features)
        for kept in (self.times, self.inputs, self.distances):
            del kept[:-REMEMBERED]
        return statistics.fmean(self.distances) if self.distances else 0.0


class NaivePipeline:
    """Events in, rows out."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._clients: dict[str, Client] = {}
        self._trees = HalfSpaceTrees(seed=1)
        self._seen = 0

    def take(self, records: Iterable[Any]) -> None:
        """Take a poll's records in, one by one, and commit."""
        for record in records:
            self._take(json.loads(record.value))
        self._connection.commit()

    def _take(self, value: dict[str, Any]) -> None:
        event = Event(
            value["client_id"], value["time"], value["input"]["features"], value["output"]["scores"]
        )
        distance = self._clients.setdefault(event.client_id, Client()).add(event)
        unit = {
            str(i): min(max((x + REACH) / (2 * REACH), 0.0), 1.0)
            for i, x in enumerate(event.features)
        }
        score = self._trees.score_one(unit)
        self._trees.learn_one(unit)
        self._seen += 1
        if self._seen > WARM_UP and (score > SUSPICIOUS or 0.0 < distance < 1.0):
            self._connection.execute(
                findings.insert().values(client_id=event.client_id, score=score)
            )


def pipeline(log: Log, database_url: str) -> Speed:
    """Read the log into an empty database."""
    engine = create_engine(database_url)
    findings.create(engine)
    try:
        with engine.connect() as connection:
            return read(log, NaivePipeline(connection).take)
    finally:
        engine.dispose()
