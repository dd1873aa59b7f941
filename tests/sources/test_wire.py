"""Answers of a broker that come over a real socket in pieces, alone, together or not at all."""

import inspect
import socket
import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import kafka.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.net.connection import KafkaConnection
from kafka.net.manager import KafkaConnectionManager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport
from kafka.protocol.consumer import FetchRequest, FetchResponse
from kafka.protocol.parser import KafkaProtocol

from detector.sources.wire import Answers

_TOPIC = FetchResponse.FetchableTopicResponse
VERSION = 4
LARGEST = 1 << 20
SMALL, LARGE = b"s" * 900, bytes(range(256)) * 1_024


class Line:
    """Both ends of a connection; the near one has asked for as many answers as are sent."""

    def __init__(self) -> None:
        self.far, near = socket.socketpair()
        near.setblocking(False)
        self.far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.near = near
        self.parser = KafkaProtocol(client_id="test", receive_message_max_bytes=LARGEST)
        protocol = SimpleNamespace(parser=self.parser)
        self.transport = SimpleNamespace(_sock=near, get_protocol=lambda: protocol)
        self.answers = Answers(self.transport)

    def close(self) -> None:
        self.far.close()
        self.near.close()

    def answer(self, records: bytes) -> bytes:
        """Ask, and return the bytes of the answer."""
        request = FetchRequest(version=VERSION)
        correlation_id = self.parser.send_request(request)
        share = _TOPIC.PartitionData(partition_index=0, records=records)
        topic = _TOPIC(topic="topic", partitions=[share])
        body = FetchResponse(version=VERSION, responses=[topic])
        content = struct.pack(">i", correlation_id) + body.encode()
        return bytes(struct.pack(">i", len(content)) + content)

    def receive(self) -> tuple[Exception | None, list[bytes]]:
        """What ended the connection, and the records of the answers that are whole."""
        _, error = self.answers.receive()
        return error, [_records(answer) for _, answer in self.parser.receive_bytes(b"")]


def _records(answer: Any) -> bytes:
    [topic] = answer.responses
    [partition] = topic.partitions
    found: bytes = partition.records
    return found


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


@pytest.mark.parametrize("bodies", [[SMALL], [LARGE], [SMALL, LARGE, b"", LARGE[::-1], SMALL]])
def test_answers_come_out_whole_and_in_order(line: Line, bodies: Sequence[bytes]) -> None:
    line.far.sendall(b"".join(map(line.answer, bodies)))
    assert line.receive() == (None, bodies)
    assert line.receive() == (None, [])


@given(st.lists(st.integers(0, 3 * (len(LARGE) + 60)), max_size=6))
def test_it_does_not_matter_where_they_are_cut(cuts: Sequence[int]) -> None:
    line = Line()
    bodies = [LARGE, SMALL, LARGE[::-1], SMALL[:1]]
    content = b"".join(map(line.answer, bodies))
    found = []
    for begin, end in pairwise([0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]):
        line.far.sendall(content[begin:end])
        error, complete = line.receive()
        assert error is None
        found += complete
    line.close()
    assert found == bodies


def test_records_stay_as_they_were_when_the_next_answer_comes(line: Line) -> None:
    found = []
    for body in (LARGE, LARGE[::-1]):
        line.far.sendall(line.answer(body))
        found += line.receive()[1]
    assert found == [LARGE, LARGE[::-1]]


@pytest.mark.parametrize("size", [LARGEST + 1, -1])
def test_an_answer_of_a_forbidden_size_ends_the_connection(line: Line, size: int) -> None:
    line.far.sendall(struct.pack(">i", size))
    assert isinstance(line.receive()[0], kafka.errors.InvalidReceiveError)


def test_an_answer_that_nobody_asked_for_ends_the_connection(line: Line) -> None:
    line.far.sendall(struct.pack(">ii", 4, 99))
    assert isinstance(line.receive()[0], kafka.errors.CorrelationIdError)


def test_a_large_answer_that_cannot_be_parsed_ends_the_connection(line: Line) -> None:
    content = bytearray(line.answer(LARGE))
    content[12:16] = struct.pack(">i", 1 << 30)
    line.far.sendall(content)
    assert isinstance(line.receive()[0], kafka.errors.KafkaProtocolError)


def test_a_broker_that_hangs_up_ends_the_connection(line: Line) -> None:
    line.far.sendall(line.answer(SMALL)[:-1])
    line.far.close()
    assert isinstance(line.receive()[0], kafka.errors.KafkaConnectionError)


def test_a_connection_that_was_closed_in_between_has_ended(line: Line) -> None:
    line.transport._sock = None
    assert isinstance(line.receive()[0], kafka.errors.KafkaConnectionError)


@pytest.mark.parametrize(
    ("where", "call"),
    [
        (KafkaTCPTransport._read_from_sock, "self._sock_recv()"),
        (KafkaSSLTransport._read_from_sock, "self._sock_recv()"),
        (KafkaConnection.data_received, "self.parser.receive_bytes(data)"),
        (KafkaConnectionManager._connect, "self._build_transport("),
    ],
)
def test_kafka_python_still_calls_what_is_put_in(where: Any, call: str) -> None:
    assert call in inspect.getsource(where), "answers are read elsewhere, slowly or not at all"
