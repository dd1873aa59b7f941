"""Make logs with known truth: `python -m detector.evaluation.generate --split tuning --out DIR`.

Writes `reference.jsonl.zst` (benign clients, an earlier week), `log.jsonl.zst` and `truth.json`.
The same options give the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer
import zstandard
from numpy.random import Generator

from detector.evaluation import benign, datasets, demo_data, models, population
from detector.evaluation.attacks import attacks_of
from detector.evaluation.attacks.attack import SLOW, WEEK, Attack
from detector.evaluation.datasets import Coded, Dataset
from detector.evaluation.models import Target
from detector.evaluation.population import SMALL_POOL, Population
from detector.evaluation.space import Space
from detector.evaluation.splits import (
    DEPLOYMENTS,
    SEEDS,
    Deployment,
    Split,
    benign_kinds_of,
)
from detector.evaluation.streams import (
    Service,
    Stream,
    attack_stream,
    benign_stream,
    client_id,
    interleave,
)

LOG_WEEK = 1_789_344_000.0  # Monday 14 September 2026, 00:00 UTC
OTHER_KINDS_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Size:
    """How much to simulate for each model.

    Attributes:
        reference_clients: Benign clients of the reference week.
        clients_per_kind: Benign clients of each kind in the log.
        streams_per_attack: Streams of each attack variant.
        max_queries: Ceiling on an attack's budget and a benign client's lifetime.
        shares: Benign shares that attack streams take in turn; 0 is a pure attack.
        plain_reference: Whether reference clients are all of the regular kind.
        slow: Whether attack streams are spread over weeks.
    """

    reference_clients: int = 60
    clients_per_kind: int = 4
    streams_per_attack: int = 1
    max_queries: int = 400
    shares: tuple[float, ...] = (0.0,)
    plain_reference: bool = False
    slow: bool = False


def foreign_rows(dataset: Dataset, other: Dataset, rng: Generator) -> Coded:
    """Return another domain's rows linearly rescaled to this one's ranges, fields at random."""
    columns = rng.integers(len(other.fields), size=len(dataset.fields))
    rows = np.empty((len(other.rows), len(dataset.fields)))
    for j, (field, column) in enumerate(zip(dataset.fields, columns, strict=True)):
        source = other.fields[column]
        values = np.nan_to_num(other.rows[:, column], nan=source.low)
        unit = (values - source.low) / max(source.high - source.low, 1e-12)
        rows[:, j] = field.low + unit * (field.high - field.low)
        if field.is_categorical:
            rows[:, j] = np.round(rows[:, j])
    return rows


def services(deployment: Deployment, split: Split, seed: int) -> tuple[Service, Service]:
    """Return the service in the reference week and in the log's week.

    Large pools are halved between the two, so that no row is in both.
    """
    target = models.train(
        datasets.load(deployment.dataset),
        deployment.kind,
        deployment.form,
        seed=SEEDS[split],
        strict=deployment.strict,
        wire=deployment.wire,
    )
    dataset = target.dataset
    others = sorted({d.dataset for d in DEPLOYMENTS[split]} - {dataset.name})
    rng = np.random.default_rng([SEEDS[split], seed, *target.model_id.encode()])
    foreign = foreign_rows(dataset, datasets.load(str(rng.choice(others))), rng)
    whole = population.build(dataset, target.outside, seed=SEEDS[split])
    newcomer = next(i for i, s in enumerate(whole.segments) if len(s) >= 0.04 * len(target.outside))
    early, late = _halves(whole)
    return (
        Service(target, early, newcomer, foreign, LOG_WEEK - WEEK),
        Service(target, late, newcomer, foreign, LOG_WEEK),
    )


def _halves(whole: Population) -> tuple[Population, Population]:
    if len(whole.rows) < SMALL_POOL:
        return whole, whole
    halves = []
    for half in (0, 1):
        segments = tuple(s[half::2] for s in whole.segments)
        halves.append(
            Population(
                whole.dataset, whole.rows, segments, whole.neighbours, whole.spread, whole.atoms
            )
        )
    return halves[0], halves[1]


def _rng(target: Target, *parts: int | str) -> Generator:
    text = "/".join([target.model_id, *map(str, parts)])
    return np.random.default_rng(list(text.encode()))


def reference_streams(
    service: Service, kinds: Sequence[str], size: Size, seed: int
) -> Iterator[Stream]:
    """Simulate the reference week: mostly regular clients, some of the other kinds."""
    others = [kind for kind in kinds if kind not in ("regular", "seasonal_newcomer")]
    for i in range(size.reference_clients):
        rng = _rng(service.target, "reference", seed, i)
        kind = "regular"
        if not size.plain_reference and rng.random() < OTHER_KINDS_SHARE:
            kind = str(rng.choice(others))
        queries = benign.lifetime(rng, size.max_queries)
        who = client_id(seed, service.target.model_id, "reference", i)
        yield benign_stream(service, who, kind, queries, rng)


def benign_streams(
    service: Service, kinds: Sequence[str], size: Size, seed: int
) -> Iterator[Stream]:
    """Simulate these benign kinds in the log's week."""
    for kind in kinds:
        for i in range(size.clients_per_kind):
            rng = _rng(service.target, kind, seed, i)
            queries = benign.lifetime(rng, size.max_queries)
            who = client_id(seed, service.target.model_id, kind, i)
            yield benign_stream(service, who, kind, queries, rng)


def attack_streams(
    service: Service, attacks: Sequence[Attack], size: Size, seed: int
) -> Iterator[Stream]:
    """Run every attack that works with the model's answers and inputs."""
    target = service.target
    space = Space(target.dataset, strict=target.strict)
    for number, attack in enumerate(attacks):
        if not attack.works(target.form, space):
            continue
        for i in range(size.streams_per_attack):
            rng = _rng(target, attack.name, seed, i)
            share = 0.0 if attack.is_volume else size.shares[(number + i) % len(size.shares)]
            who = client_id(seed, target.model_id, attack.name, i)
            budget = attack.queries(size.max_queries)
            pace = SLOW if size.slow else None
            yield attack_stream(service, who, attack, budget, share, rng, pace=pace)


def write_log(path: Path, streams: Iterable[Stream], level: int) -> None:
    """Write the interleaved events as zstd-compressed JSON lines."""
    encoder = msgspec.json.Encoder()
    with path.open("wb") as file, zstandard.ZstdCompressor(level).stream_writer(file) as out:
        for event in interleave(streams):
            out.write(encoder.encode(event) + b"\n")


def ground_truth(streams: Iterable[Stream]) -> dict[str, Any]:
    """Return the truth by client id, sorted."""
    return {s.client_id: s.truth() for s in sorted(streams, key=lambda s: s.client_id)}


def write(out: Path, reference: Sequence[Stream], log: Sequence[Stream], level: int = 10) -> None:
    """Write the two logs and the truth into a directory, which is made if need be."""
    out.mkdir(parents=True, exist_ok=True)
    write_log(out / demo_data.REFERENCE, reference, level)
    write_log(out / demo_data.LOG, log, level)
    truth = msgspec.json.encode(ground_truth(log))
    (out / demo_data.TRUTH).write_bytes(msgspec.json.format(truth, indent=1) + b"\n")


def simulate(
    deployments: Iterable[Deployment], split: Split, size: Size, seed: int
) -> tuple[list[Stream], list[Stream]]:
    """Return the reference week's streams and the log's."""
    kinds, attacks = benign_kinds_of(split), attacks_of(split)
    reference: list[Stream] = []
    log: list[Stream] = []
    for deployment in deployments:
        before, now = services(deployment, split, seed)
        reference.extend(reference_streams(before, kinds, size, seed))
        log.extend(benign_streams(now, kinds, size, seed))
        log.extend(attack_streams(now, attacks, size, seed))
    return reference, log


def main(
    out: Annotated[Path, typer.Option(help="Directory to write to.")],
    split: Annotated[Split, typer.Option(help="Which deployments.")] = Split.TUNING,
    clients_per_kind: Annotated[int, typer.Option(help="Benign clients a kind and model.")] = 4,
    streams_per_attack: Annotated[int, typer.Option(help="Streams a variant and model.")] = 1,
    reference_clients: Annotated[int, typer.Option(help="Reference clients a model.")] = 60,
    max_queries: Annotated[int, typer.Option(help="Ceiling on a client's queries.")] = 400,
    mixing: Annotated[str, typer.Option(help="Benign shares, taken in turn.")] = "0",
    plain_reference: Annotated[bool, typer.Option(help="Only regular clients there.")] = False,
    slow: Annotated[bool, typer.Option(help="Spread attacks over two to six weeks.")] = False,
    model: Annotated[str, typer.Option(help="Only models whose name starts so.")] = "",
    seed: Annotated[int, typer.Option(help="Other seeds give other clients.")] = 0,
) -> None:
    """Simulate a split into DIR/reference.jsonl.zst, DIR/log.jsonl.zst and DIR/truth.json."""
    shares = tuple(float(text) for text in mixing.split(","))
    size = Size(
        reference_clients,
        clients_per_kind,
        streams_per_attack,
        max_queries,
        shares,
        plain_reference,
        slow,
    )
    chosen = [d for d in DEPLOYMENTS[split] if f"{d.dataset}-{d.kind}".startswith(model)]
    reference, log = simulate(chosen, split, size, seed)
    write(out, reference, log)


if __name__ == "__main__":
    typer.run(main)
