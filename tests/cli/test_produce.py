"""`querywatch produce` against a producer that answers as it is told."""

import json
import weakref
from pathlib import Path
from typing import Any, ClassVar

import kafka
import msgspec
import pytest
from kafka.errors import MessageSizeTooLargeError
from kafka.future import Future

from detector import bootstrap
from detector.sources import kafka_target
from tests.cli.conftest import Cli

RECORDS, STRETCH = 400, 20


class Answer(Future):  # type: ignore[misc]
    """A future of the client, as far as the command uses it, that can be referred to weakly."""

    def get(self, timeout: float | None = None) -> object:
        assert self.is_done
        if self.exception is not None:
            raise self.exception
        return self.value


class Broker:
    """Answers a record when ten more were sent, the rest when flushed; refuses one of them."""

    refused: ClassVar[int | None] = None
    sent: ClassVar[int] = 0
    most: ClassVar[int] = 0
    keys: ClassVar[list[bytes | None]] = []

    def __init__(self, **_: object) -> None:
        type(self).sent = type(self).most = 0
        type(self).keys = []
        self._open: list[tuple[int, Answer]] = []
        self._alive: weakref.WeakSet[Answer] = weakref.WeakSet()

    def send(self, topic: str, value: bytes, key: bytes | None) -> Answer:
        answer = Answer()
        self.keys.append(key)
        self._alive.add(answer)
        self._open.append((self.sent, answer))
        type(self).sent += 1
        type(self).most = max(self.most, len(self._alive))
        while len(self._open) > 10:
            self._settle()
        return answer

    def flush(self, timeout: float) -> None:
        while self._open:
            self._settle()

    def close(self, timeout: float) -> None:
        pass

    def _settle(self) -> None:
        number, answer = self._open.pop(0)
        if number == self.refused:
            answer.failure(MessageSizeTooLargeError("too large for the topic"))
        else:
            answer.success(None)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kafka, "KafkaProducer", Broker)
    monkeypatch.setattr(kafka_target, "require_topic", lambda settings, topic: None)
    monkeypatch.setattr(bootstrap, "READ_AHEAD", STRETCH)
    path = tmp_path / "log.jsonl"
    path.write_text('{"client_id": "c"}\n' * RECORDS)
    return path


def produce(cli: Cli, log: Path, monkeypatch: pytest.MonkeyPatch, refused: int | None) -> Any:
    monkeypatch.setattr(Broker, "refused", refused)
    return cli("produce", log)


def test_answers_are_let_go_as_they_come(
    cli: Cli, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = produce(cli, log, monkeypatch, None)
    assert (ended.code, Broker.sent) == (0, RECORDS)
    assert f"{RECORDS} records sent" in ended.out
    assert Broker.most <= 2 * STRETCH + 10


@pytest.mark.parametrize(("refused", "sent"), [(3, STRETCH), (RECORDS - 1, RECORDS)])
def test_a_refusal_ends_it_soon_after(
    cli: Cli, log: Path, monkeypatch: pytest.MonkeyPatch, refused: int, sent: int
) -> None:
    ended = produce(cli, log, monkeypatch, refused)
    assert ended.code != 0
    assert "too large for the topic" in ended.err
    assert Broker.sent == sent


def test_a_client_has_one_key_in_whatever_form_its_events_come(
    cli: Cli, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key that `rekey` gives them too; what is no event has none."""
    plain = {"event_id": "e1", "time": 1767225600000, "client_id": "Zoë", "model_id": "m"}
    tenant = plain | {"tenant_id": "acme", "unknown": 1}
    envelope = {
        "specversion": "1.0", "id": "e1", "source": "/gate", "type": "prediction", "data": plain,
    }  # fmt: skip
    lines = [
        *(json.dumps(each).encode() for each in (plain, tenant, envelope)),
        *(msgspec.msgpack.encode(each) for each in (plain, tenant)),
        json.dumps(plain | {"time": 1890000000000}).encode(),
        b'{"client_id": "Zoe"}',
        b"nonsense",
    ]
    assert not any(b"\n" in line for line in lines)
    log.write_bytes(b"\n".join(lines) + b"\n")
    assert produce(cli, log, monkeypatch, None).code == 0
    name = "Zoë".encode()
    owned = b"acme/" + name
    assert Broker.keys == [name, owned, name, name, owned, name, None, None]


def test_a_topic_that_does_not_exist_is_told_at_once(cli: Cli, kafka_bootstrap: str) -> None:
    Path("log.jsonl").write_text("{}\n")
    result = cli(
        "produce", "log.jsonl", "--topic", "nosuch", "--bootstrap-servers", kafka_bootstrap
    )
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-1].startswith("querywatch: there is no topic nosuch; create it")
