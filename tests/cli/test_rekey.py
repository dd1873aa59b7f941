"""`querywatch rekey` as a process of its own, between real topics, killed on its way."""

import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from detector.events.place import SOURCE_HEADER
from detector.events.record import Position, Record
from detector.pipeline.duplicates import SourcePositions
from tests.cli.conftest import Cli

CreateTopic = Callable[..., str]
MAIN = "from detector.cli.main import main; main()"
EVENT = (
    b'{"event_id":"e%d","time":1767225600000,"client_id":"client-%d","model_id":"m",'
    b'"session_id":"' + b"s" * 150 + b'"}'
)
PATIENCE = 120.0
RECORDS = 60_000
BEGIN_MS = int(time.time() * 1000) - RECORDS
"""Lately: a broker deletes what is older than its retention."""
PARTITIONS = 3


@contextmanager
def copying(
    bootstrap: str, source: str, target: str, cwd: Path
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", MAIN, "rekey", "--from", source, "--to", target]
    options = ["--bootstrap-servers", bootstrap, "--session-timeout", "3s"]
    process = subprocess.Popen(
        [*command, *options], stdin=subprocess.DEVNULL, stderr=(cwd / "err").open("ab"), cwd=cwd
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def fill(bootstrap: str, topic: str) -> list[bytes]:
    """Write events of 50 clients under no key, and now and then what is no event."""
    chance = random.Random(7)
    bodies = [
        b"nonsense %d" % n if n % 997 == 0 else EVENT % (n, chance.randrange(50))
        for n in range(RECORDS)
    ]
    # Only within one partition is there an order to keep, so each client is in one.
    with closing(KafkaProducer(bootstrap_servers=bootstrap, linger_ms=20)) as producer:
        for n, body in enumerate(bodies):
            number = hash_of(body) % PARTITIONS
            producer.send(
                topic, body, partition=number, headers=[("n", b"%d" % n)], timestamp_ms=BEGIN_MS + n
            )
        producer.flush()
    return bodies


def hash_of(body: bytes) -> int:
    return sum(body.partition(b"client-")[2].partition(b'"')[0])


def ends(bootstrap: str, topic: str) -> int:
    with closing(KafkaConsumer(bootstrap_servers=bootstrap)) as consumer:
        places = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
        return sum(consumer.end_offsets(places).values())


def partitions_of(bootstrap: str, topic: str) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = defaultdict(list)
    expected = ends(bootstrap, topic)
    deadline = time.monotonic() + PATIENCE
    with closing(
        KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    ) as consumer:
        consumer.assign([TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)])
        while sum(map(len, found.values())) < expected:
            assert time.monotonic() < deadline
            for place, batch in consumer.poll(500).items():
                found[place.partition] += [
                    Record(
                        Position(topic, m.partition, m.offset), m.value, m.key, tuple(m.headers),
                        m.timestamp,
                    )
                    for m in batch
                ]  # fmt: skip
    return found


def wait_for(bootstrap: str, topic: str, count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while ends(bootstrap, topic) < count:
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < deadline, f"{ends(bootstrap, topic)} of {count} came"
        time.sleep(0.02)


def committed(bootstrap: str, topic: str) -> int:
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, group_id="querywatch-rekey")) as group:
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        return sum(group.committed(place) or 0 for place in places)


def test_killed_again_and_again_every_record_arrives_once_in_effect(
    kafka_bootstrap: str, create_topic: CreateTopic, tmp_path: Path
) -> None:
    source, target = create_topic(partitions=PARTITIONS), create_topic(partitions=5)
    bodies = fill(kafka_bootstrap, source)
    for stage in range(1, 5):
        with copying(kafka_bootstrap, source, target, tmp_path) as process:
            wait_for(kafka_bootstrap, target, stage * RECORDS // 6, process)
            process.send_signal(signal.SIGKILL)
            process.wait()
    with copying(kafka_bootstrap, source, target, tmp_path) as process:
        deadline = time.monotonic() + PATIENCE
        while committed(kafka_bootstrap, source) < RECORDS:
            said = (tmp_path / "err").read_text()[-2000:]
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, (tmp_path / "err").read_text()[-2000:]
        print(f"out after {time.monotonic() - asked:.1f} s")
    parts = partitions_of(kafka_bootstrap, target)
    written = sum(map(len, parts.values()))
    print(f"{written - RECORDS} written twice")
    taken: list[Record] = []
    for records in parts.values():
        fresh = SourcePositions().fresh(records)
        taken += fresh
        of_client: dict[bytes | None, list[int]] = defaultdict(list)
        for record in fresh:
            of_client[record.key].append(int(dict(record.headers)["n"]))
        assert all(numbers == sorted(numbers) for numbers in of_client.values())
    assert sorted(record.value or b"" for record in taken) == sorted(bodies)
    check_copies(taken)


def check_copies(taken: list[Record]) -> None:
    homes: dict[bytes, set[int]] = defaultdict(set)
    for record in taken:
        number = int(dict(record.headers)["n"])
        assert record.timestamp_ms == BEGIN_MS + number
        if number % 997:
            assert record.key == (record.value or b"").split(b'"')[9]
            homes[record.key].add(record.position.partition)
        else:
            assert record.key == dict(record.headers)[SOURCE_HEADER]
    assert all(len(home) == 1 for home in homes.values())


def test_what_cannot_be_copied_is_said_at_once(
    cli: Cli, kafka_bootstrap: str, create_topic: CreateTopic
) -> None:
    topic = create_topic()
    at = ("--bootstrap-servers", kafka_bootstrap)
    same = cli("rekey", "--from", topic, "--to", topic, *at)
    assert (same.code, "the same topic" in same.err) == (2, True)
    for source, target in ((topic, "no-such-topic"), ("no-such-topic", topic)):
        missing = cli("rekey", "--from", source, "--to", target, *at)
        assert missing.code == 2
        assert "there is no topic no-such-topic" in missing.err
        # Nobody makes a source anew: its name is misspelt.
        assert ("create it: kafka-topics.sh" in missing.err) is (source == topic)
    nowhere = cli("rekey", "--from", topic, "--to", create_topic(), "--metrics", "x", *at)
    assert (nowhere.code, "--metrics" in nowhere.err) == (2, True)


def test_a_stop_while_there_is_nothing_to_copy(
    kafka_bootstrap: str, create_topic: CreateTopic, tmp_path: Path
) -> None:
    source, target = create_topic(), create_topic()
    with closing(KafkaProducer(bootstrap_servers=kafka_bootstrap)) as producer:
        producer.send(source, None, key=b"gone")
        producer.flush()
    with copying(kafka_bootstrap, source, target, tmp_path) as process:
        wait_for(kafka_bootstrap, target, 1, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    [record] = partitions_of(kafka_bootstrap, target)[0]
    assert (record.key, record.value) == (b"gone", None)
