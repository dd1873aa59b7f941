"""Record batches that no client library would write, and a way to get them past the broker."""

import struct
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cramjam
import lz4.frame
import zstandard
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.protocol.producer import ProduceRequest
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from kafka.record.util import calc_crc32c, encode_varint

from detector.sources.codecs import Codec

MANY_BYTES = 32 << 20
_NOT_YET = (3, 6)  # unknown topic; not the leader
_ZEROS = bytes(1 << 20)


def varint(number: int) -> bytes:
    out = bytearray()
    encode_varint(number, out.append)
    return bytes(out)


def one_record(delta: int, value: bytes, announced: int | None = None) -> bytes:
    """A record; `announced` is a length of the value that other bytes must make good."""
    size = len(value) if announced is None else announced
    head = b"\0" + varint(0) + varint(delta) + varint(-1) + varint(size)
    whole = varint(len(head) + size + 1) + head + value
    return whole + varint(0) if announced is None else whole


def pieces(megabytes: int) -> Iterator[bytes]:
    """The records of a bomb: a small one, then one of so many million zeros."""
    size = megabytes << 20
    yield one_record(0, b"first") + one_record(1, b"", size)
    for _ in range(megabytes):
        yield _ZEROS
    yield varint(0)


def _gzip(parts: Iterator[bytes]) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(map(packer.compress, parts)) + packer.flush()


def _snappy(parts: Iterator[bytes]) -> bytes:
    blocks = [bytes(cramjam.snappy.compress_raw(part)) for part in parts]
    header = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
    return header + b"".join(struct.pack(">i", len(block)) + block for block in blocks)


def _lz4(parts: Iterator[bytes]) -> bytes:
    packer: Any = lz4.frame.LZ4FrameCompressor(block_linked=False)
    return bytes(packer.begin() + b"".join(map(packer.compress, parts)) + packer.flush())


def _zstd(parts: Iterator[bytes]) -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    return b"".join(map(packer.compress, parts)) + packer.flush()


PACKERS: dict[Codec, Callable[[Iterator[bytes]], bytes]] = {
    Codec.GZIP: _gzip,
    Codec.SNAPPY: _snappy,
    Codec.LZ4: _lz4,
    Codec.ZSTD: _zstd,
}


def batch(payload: bytes, count: int, codec: Codec = Codec.NONE, base: int = 0) -> bytes:
    """A batch of format 2 around bytes that may be anything, with a sound checksum."""
    header = DefaultRecordBatch.HEADER_STRUCT
    length = header.size + len(payload) - DefaultRecordBatch.AFTER_LEN_OFFSET
    fields = [base, length, 0, 2, 0, int(codec), count - 1, 1_000, 1_000, -1, -1, -1, count]
    return sealed(header.pack(*fields) + payload)


def sealed(content: bytes) -> bytes:
    """The batch with the checksum that its content calls for."""
    whole = bytearray(content)
    crc = calc_crc32c(memoryview(whole)[DefaultRecordBatch.ATTRIBUTES_OFFSET :])
    struct.pack_into(">I", whole, DefaultRecordBatch.CRC_OFFSET, crc)
    return bytes(whole)


def bomb(codec: Codec, megabytes: int) -> bytes:
    """A sound batch of two records that expands to a little more than that."""
    return batch(PACKERS[codec](pieces(megabytes)), 2, codec)


def plain(*bodies: bytes, codec: Codec = Codec.NONE, base: int = 0) -> bytes:
    """A sound batch of these bodies."""
    records = b"".join(one_record(delta, body) for delta, body in enumerate(bodies))
    payload = records if codec is Codec.NONE else PACKERS[codec](iter([records]))
    return batch(payload, len(bodies), codec, base)


def library_batch(codec: Codec, headers: Sequence[tuple[str, bytes | None]] = ()) -> bytes:
    """What kafka-python's own builder makes of three records."""
    builder = DefaultRecordBatchBuilder(2, int(codec), False, -1, -1, -1, 1 << 20)
    builder.append(0, 1_000, b"key", b"value" * 50, list(headers))
    builder.append(1, 1_500, None, b"", [])
    builder.append(2, 900, b"", None, [])
    return bytes(builder.build())


def create_roomy_topic(bootstrap: str) -> str:
    """A topic that takes batches of up to `MANY_BYTES`, compressed."""
    name = f"querywatch-test-{uuid.uuid4().hex[:12]}"
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    topic = NewTopic(name, 1, 1, topic_configs={"max.message.bytes": str(MANY_BYTES)})
    admin.create_topics([topic])
    admin.close()
    return name


def send_batches(bootstrap: str, topic: str, *batches: bytes) -> None:
    """Append batches as they are to partition 0."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    for content in batches:
        deadline = time.monotonic() + 30
        while (code := _send(admin._manager, topic, content)) in _NOT_YET:
            assert time.monotonic() < deadline, "the topic never came up"
            time.sleep(0.1)
        assert code == 0, f"the broker refuses the batch: error {code}"
    admin.close()


def _send(manager: Any, topic: str, content: bytes) -> int:
    part = ProduceRequest.TopicProduceData.PartitionProduceData(index=0, records=content)
    data = ProduceRequest.TopicProduceData(name=topic, partition_data=[part])
    request = ProduceRequest(
        transactional_id=None, acks=-1, timeout_ms=30_000, topic_data=[data], max_version=9
    )
    answer = manager.run(manager.wait_for, manager.send(request), 60_000)
    return int(answer.responses[0].partition_responses[0].error_code)
