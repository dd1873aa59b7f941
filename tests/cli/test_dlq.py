"""`querywatch dlq` on a real database, a real topic and real files."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from detector.cli.dlq_render import shown
from detector.events.decode import Decoder
from detector.events.limits import Limits
from detector.events.place import REPLAY_HEADER
from detector.events.record import Position, Record
from detector.pipeline.dead_letters import StoredDeadLetter
from detector.storage.store import open_store
from tests.cli.conftest import Cli
from tests.fakes.database import migrated_url
from tests.storage.shapes import NOW

EVENT = b'{"event_id":"e%d","time":1767225600000,"client_id":"ana","model_id":"churn"}'
STRICT = Limits(max_bytes=10, kept_bytes=40)
"""Under which every event is refused, and some are not kept whole."""


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = migrated_url(tmp_path)
    monkeypatch.setenv("QUERYWATCH_DATABASE_URL", url)
    return url


def refused(url: str, records: Sequence[Record], limits: Limits = STRICT) -> None:
    with closing(open_store(url)) as store, store.transaction() as transaction:
        transaction.dead_letters.add(Decoder(limits).decode_all(records).dead, NOW)


def stored(url: str, position: Position) -> StoredDeadLetter:
    with closing(open_store(url)) as store, store.transaction() as transaction:
        found = transaction.dead_letters.get(position)
    assert found is not None
    return found


def read(bootstrap: str, topic: str, count: int) -> list[Record]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    found: list[Record] = []
    deadline = time.monotonic() + 60
    with closing(consumer):
        consumer.assign([TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)])
        while len(found) < count:
            assert time.monotonic() < deadline
            for batch in consumer.poll(500).values():
                found += [
                    Record(
                        Position(m.topic, m.partition, m.offset), m.value, m.key, tuple(m.headers)
                    )
                    for m in batch
                ]
    return found


def test_listing_filters_pages_and_counts(cli: Cli, url: str) -> None:
    bad = [
        Record(Position("logs/a.jsonl", 0, n), b"nonsense" if n % 2 else b"{}") for n in range(6)
    ]
    refused(url, bad, Limits())
    everything = json.loads(cli("dlq", "list", "--json").out)
    assert sum(everything["counts"].values()) == len(everything["dead_letters"]) == 6
    assert everything["next"] is None
    first = json.loads(cli("dlq", "list", "--json", "--limit", "4").out)
    rest = json.loads(cli("dlq", "list", "--json", "--after", first["next"]).out)
    places = [item["place"] for item in first["dead_letters"] + rest["dead_letters"]]
    assert places == [f"logs/a.jsonl/0/{n}" for n in (5, 4, 3, 2, 1, 0)]
    reason = everything["dead_letters"][0]["reason"]
    some = json.loads(cli("dlq", "list", "--json", "--reason", reason).out)
    assert [item["position"]["offset"] for item in some["dead_letters"]] == [5, 3, 1]
    assert reason in cli("dlq", "list", "--topic", "logs/a.jsonl").out
    assert json.loads(cli("dlq", "list", "--json", "--since", "2999-01-01").out)["counts"] == {}
    wrong = cli("dlq", "list", "--since", "yesterday")
    assert (wrong.code, "--since" in wrong.err) == (2, True)


def test_show_lets_no_terminal_obey_a_body(cli: Cli, url: str) -> None:
    refused(url, [Record(Position("t", 1, 2), b'{"a":"\x1b[2J\xe2\x80\xae"}', b"\x1b]0;x\x07")])
    for place in ("t/1/2", "t:1:2"):
        result = cli("dlq", "show", place)
        assert result.code == 0
        assert "\x1b" not in result.out
        assert "\u202e" not in result.out
        assert "\\x1b[2J" in result.out
    assert json.loads(cli("dlq", "show", "t/1/2", "--json").out)["body"].startswith("eyJh")
    assert cli("dlq", "show", "t/1/3").code == 2
    assert cli("dlq", "show", "t").code == 2
    assert shown(b"\xff\x00 binary, as bytes") == (
        "000000  ff 00 20 62 69 6e 61 72 79 2c 20 61 73 20 62 79\n000010  74 65 73"
    )


def test_show_says_whether_it_would_decode_now(cli: Cli, url: str) -> None:
    refused(url, [Record(Position("t", 0, 0), EVENT % 1), Record(Position("t", 0, 1), b"[]")],
            Limits(max_bytes=1))  # fmt: skip
    assert "would decode" in cli("dlq", "show", "t/0/0").out
    assert "wrong_type" in cli("dlq", "show", "t/0/1").out


def test_dropped_letters_keep_who_and_why(cli: Cli, url: str) -> None:
    refused(url, [Record(Position("t", 0, n), b"[") for n in range(3)])
    assert cli("dlq", "drop", "t/0/0", "--because", "a test", "--by", "ana").code == 0
    assert "2 would be dropped" in cli("dlq", "drop", "--topic", "t", "--because", "x").out
    assert "2 dropped" in cli("dlq", "drop", "--because", "x", "--by", "bo", "--yes").out
    end = stored(url, Position("t", 0, 0)).settlement
    assert end is not None
    assert (end.fate.value, end.by, end.note) == ("dropped", "ana", "a test")
    again = cli("dlq", "drop", "t/0/0", "--because", "x")
    assert (again.code, "dropped already" in again.err) == (2, True)
    settled = json.loads(cli("dlq", "list", "--state", "settled", "--json").out)
    assert [item["settlement"]["by"] for item in settled["dead_letters"]] == ["bo", "bo", "ana"]


def test_letters_of_a_log_file_have_no_topic_to_go_to(cli: Cli, url: str) -> None:
    """The preview says what the act will do; nothing is asked of a broker."""
    places = ["logs/a.jsonl", "a.jsonl", "-"]
    refused(url, [Record(Position(name, 0, 0), EVENT % 1) for name in places])
    for yes in ((), ("--yes", "--by", "ana")):
        told = cli("dlq", "replay", *yes).out
        assert told.startswith("0 ")
        assert "3 stays: of a log file, not of a topic: use --to FILE" in told


def test_an_unknown_reason_lists_the_known(cli: Cli, url: str) -> None:
    result = cli("dlq", "list", "--reason", "malformed")
    assert result.code == 2
    assert "malformed_json" in result.err


def test_replay_into_a_file_takes_lines_that_decode(cli: Cli, url: str, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    long = EVENT % 1
    log.write_bytes(b"[\n" + long + b"\n")
    spread = (EVENT % 2).replace(b",", b",\n ")
    refused(url, [Record(Position(str(log), 0, 0), b"["), Record(Position(str(log), 0, 1), long)])
    refused(url, [Record(Position("t", 0, 0), spread)], Limits(max_bytes=1))
    preview = cli("dlq", "replay", "--to", "out.jsonl")
    assert "2 would be sent" in preview.out
    assert not Path("out.jsonl").exists()
    done = cli("dlq", "replay", "--to", "out.jsonl", "--yes", "--by", "ana")
    assert "2 sent and settled" in done.out
    assert "malformed_json" in done.out
    lines = Path("out.jsonl").read_bytes().splitlines()
    assert sorted(json.loads(line)["event_id"] for line in lines) == ["e1", "e2"]
    assert "0 would be sent" in cli("dlq", "replay", "--to", "out.jsonl").out
    log.write_bytes(b"shorter\n")
    refused(url, [Record(Position(str(log), 0, 7), long)])
    assert "not found in any file" in cli("dlq", "replay", "--to", "out.jsonl", "--yes").out


def test_replay_sends_the_original_to_its_topic(
    cli: Cli, url: str, kafka_bootstrap: str, create_topic: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    topic = create_topic(partitions=3)
    monkeypatch.setenv("QUERYWATCH_KAFKA_BOOTSTRAP_SERVERS", kafka_bootstrap)
    headers = [("trace", b"1"), (REPLAY_HEADER, b"raw/0/1")]
    with closing(KafkaProducer(bootstrap_servers=kafka_bootstrap)) as producer:
        producer.send(topic, EVENT % 0, key=b"k", headers=headers, partition=0)
        producer.send(topic, EVENT % 1, partition=1)
        producer.send(topic, b"[", partition=2)
        producer.flush()
    originals = read(kafka_bootstrap, topic, 3)
    refused(url, originals)
    assert stored(url, Position(topic, 0, 0)).letter.record() is None
    assert cli("dlq", "replay", f"{topic}/2/0").code == 1
    assert cli("dlq", "replay", f"{topic}/0/0", "--by", "ana").code == 0
    assert "1 sent and settled" in cli("dlq", "replay", "--topic", topic, "--yes").out
    sent = [r for r in read(kafka_bootstrap, topic, 5) if r not in originals]
    found = {dict(r.headers)[REPLAY_HEADER].decode(): r for r in sent}
    keyed, unkeyed = found[f"{topic}/0/0"], found[f"{topic}/1/0"]
    assert (keyed.value, keyed.key) == (EVENT % 0, b"k")
    assert keyed.headers == (("trace", b"1"), (REPLAY_HEADER, f"{topic}/0/0".encode()))
    assert (unkeyed.value, unkeyed.key) == (EVENT % 1, b"ana")
    end = stored(url, Position(topic, 0, 0)).settlement
    assert end is not None
    assert end.note == "/".join(map(str, keyed.position))
    refused(url, [Record(Position("no-such-topic", 0, 0), EVENT % 3)], Limits(max_bytes=1))
    gone = cli("dlq", "replay", "no-such-topic/0/0")
    assert (gone.code, "there is no topic no-such-topic" in gone.err) == (2, True)
