"""What becomes of record batches, sound and unsound, as kafka-python's fetcher hands them over."""

import inspect
import struct
from collections.abc import Sequence
from typing import Any

import kafka
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.record import MemoryRecords
from kafka.record.legacy_records import LegacyRecordBatchBuilder

from detector.events.decode import Decoder
from detector.events.reasons import Reason
from detector.events.record import Partition, Position, Record
from detector.events.records import Records
from detector.kit.errors import ConfigurationError
from detector.sources.batches import Batch, records_of
from detector.sources.codecs import Codec
from detector.sources.fetched import Share, read_bounded
from tests.sources.crafted import (
    PACKERS,
    batch,
    bomb,
    library_batch,
    one_record,
    plain,
    sealed,
    varint,
)

PLACE = TopicPartition("log", 3)
LIMIT = 1 << 20
CODECS = pytest.mark.parametrize("codec", list(PACKERS), ids=lambda codec: codec.name.lower())


def opened(*batches: bytes, first: int = 0) -> Share:
    answer = MemoryRecords(b"".join(batches))
    return Share(first, PLACE, answer, max_batch_bytes=LIMIT)


def read(*batches: bytes, first: int = 0) -> list[Record]:
    return list(opened(*batches, first=first).records(1 << 20))


def values(records: Sequence[Record]) -> list[bytes | None]:
    return [record.value for record in records]


def faulty(records: Sequence[Record]) -> Record:
    [record] = [record for record in records if record.fault is not None]
    return record


def stock(content: bytes) -> list[tuple[Any, ...]]:
    records = Fetcher.PartitionRecords(0, PLACE, MemoryRecords(content)).take()
    return [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in records]


@pytest.mark.parametrize("codec", list(Codec))
def test_reads_what_kafka_python_itself_reads(codec: Codec) -> None:
    content = library_batch(codec, [("a", b"1"), ("ä" * 40, b""), ("a", b"2" * 200)])
    ours = [
        (r.position.offset, r.timestamp_ms, r.key, r.value, list(r.headers)) for r in read(content)
    ]
    assert ours == stock(content)


def test_a_header_without_a_value_is_empty() -> None:
    assert read(library_batch(Codec.NONE, [("h", None)]))[0].headers == (("h", b""),)


def test_makes_records_piece_by_piece() -> None:
    share = opened(plain(b"a", b"b"), plain(b"c", base=7))
    assert values(share.records(1)) == [b"a"]
    assert values(share.records(2)) == [b"b", b"c"]
    assert share.records(5) == []


def test_reading_goes_on_behind_a_share_before_its_records_are_made() -> None:
    share = opened(plain(b"a", b"b"), plain(b"c", base=7), first=1)
    assert share.take(1) == [share]
    assert share.next_fetch_offset == 8
    assert not bool(share), "kafka-python asks for more only when it has none left"
    assert values(share.records(5)) == [b"b", b"c"]


def test_reading_goes_on_behind_damage() -> None:
    damaged = bytearray(plain(b"a", b"b", base=3))
    damaged[-1] ^= 1
    share = opened(bytes(damaged), first=3)
    share.take()
    assert share.next_fetch_offset == share.records(5)[-1].next_offset == 5


def test_an_answer_without_a_whole_batch_is_no_share() -> None:
    assert opened(plain(b"a")[:-1]).take() == []


def test_a_position_within_a_batch_leaves_out_what_lies_before() -> None:
    assert values(read(plain(b"a", b"b", b"c"), first=2)) == [b"c"]


@CODECS
def test_a_bomb_is_one_record_and_its_neighbours_are_whole(codec: Codec) -> None:
    content = bomb(codec, 4)
    moved = struct.pack(">q", 5) + content[8:]
    before, fault, after = read(plain(b"before", base=4), moved, plain(b"after", base=7))
    assert (before.value, after.value) == (b"before", b"after")
    assert fault.position == Position("log", 3, 6)
    assert fault.value == moved[: 1 << 16]
    assert fault.fault is not None
    assert fault.fault.reason == Reason.DECOMPRESSION_BOMB
    assert fault.fault.size == len(moved)
    name = codec.name.lower()
    assert f"offsets 5 to 6 ({name}, {len(moved)} bytes)" in fault.fault.detail
    assert f"beyond {LIMIT} bytes" in fault.fault.detail


@CODECS
def test_what_just_fits_is_read(codec: Codec) -> None:
    nearly = LIMIT - 100
    body = b"x" * (LIMIT - (len(one_record(0, b"x" * nearly)) - nearly))
    assert values(read(plain(body, codec=codec))) == [body]
    fault = faulty(read(plain(body + b"x", codec=codec))).fault
    assert fault is not None
    assert fault.reason == Reason.DECOMPRESSION_BOMB


@CODECS
def test_data_that_do_not_decompress_are_one_fault(codec: Codec) -> None:
    whole = PACKERS[codec](iter([one_record(0, b"a" * 500) + one_record(1, b"b" * 500)]))
    for payload in (whole[:-9], b"\x01\x02\x03 not compressed at all"):
        fault, after = read(batch(payload, 2, codec), plain(b"after", base=2))
        assert fault.fault is not None
        assert fault.fault.reason == Reason.DAMAGED_BATCH
        assert fault.position.offset == 1
        assert after.value == b"after"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(one_record(0, b"a"), id="a record is missing"),
        pytest.param(one_record(0, b"a") + one_record(1, b"b") + b"\0", id="bytes are left"),
        pytest.param(one_record(0, b"a") + one_record(0, b"b"), id="an offset comes twice"),
        pytest.param(one_record(0, b"a") + one_record(2, b"b"), id="an offset lies beyond"),
        pytest.param(one_record(0, b"a") + one_record(1, b"", 1 << 40), id="a huge length"),
        pytest.param(one_record(0, b"a") + b"\xff" * 12, id="an endless varint"),
    ],
)
def test_a_batch_that_cannot_be_parsed_ends_in_one_fault(payload: bytes) -> None:
    records = read(batch(payload, 2), plain(b"after", base=2))
    assert values(records)[-1] == b"after"
    fault = faulty(records)
    assert fault.fault is not None
    assert fault.fault.reason == Reason.DAMAGED_BATCH
    assert fault.position.offset == 1


@pytest.mark.parametrize("count", [0, -1, 1 << 30])
def test_a_number_of_records_that_is_not_true(count: int) -> None:
    content = bytearray(batch(one_record(0, b"a"), 1))
    struct.pack_into(">i", content, 57, count)
    assert read(sealed(bytes(content)))[-1].fault is not None


@pytest.mark.parametrize("at", [17, 24, 30, 58, 70])
def test_a_wrong_checksum_is_one_fault_that_never_reaches_beyond_the_batch(at: int) -> None:
    damaged = bytearray(plain(b"a", b"b", b"c"))
    damaged[at] ^= 0x40
    fault, after = read(bytes(damaged), plain(b"after", base=3))
    assert fault.fault is not None
    assert fault.fault.reason == Reason.DAMAGED_BATCH
    assert "checksum" in fault.fault.detail
    assert fault.position.offset == 2
    assert (after.position.offset, after.value) == (3, b"after")


def test_a_last_batch_whose_extent_cannot_be_believed_gives_up_one_offset_only() -> None:
    damaged = bytearray(plain(b"a", b"b", b"c"))
    damaged[23] ^= 0x40
    assert [record.position.offset for record in read(bytes(damaged))] == [0]


@pytest.mark.parametrize("length", [-1, 0, 4])
def test_a_length_that_makes_no_sense_is_a_fault(length: int) -> None:
    content = bytearray(plain(b"a"))
    struct.pack_into(">i", content, 8, length)
    assert faulty(read(bytes(content))).position.offset == 0


def test_an_unknown_format_and_an_unknown_codec_are_faults() -> None:
    content = bytearray(plain(b"a"))
    content[16] = 9
    assert "format 9" in str(faulty(read(bytes(content))).fault)
    assert "codec 6" in str(faulty(read(batch(b"data", 1, 6))).fault)  # type: ignore[arg-type]


def test_a_header_whose_name_is_no_text_spoils_its_record_only() -> None:
    content = library_batch(Codec.NONE, [("name", b"1")]).replace(b"name", b"\xff\xfe\xfd\xfc")
    first, second, third = read(sealed(bytes(content)))
    assert first.fault is not None
    assert first.fault.reason == Reason.NOT_UTF8
    assert (second.value, third.value) == (b"", None)


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [Codec.NONE, Codec.GZIP, Codec.SNAPPY])
def test_messages_of_the_old_formats(magic: int, codec: Codec) -> None:
    content = legacy(magic, codec, b"v" * 300)
    ours = [(r.position.offset, r.timestamp_ms, r.key, r.value) for r in read(content)]
    assert ours == [row[:4] for row in stock(content)]
    assert len(ours) == 2


@pytest.mark.parametrize("magic", [0, 1])
def test_bombs_and_damage_of_the_old_formats(magic: int) -> None:
    fault = faulty(read(legacy(magic, Codec.GZIP, bytes(LIMIT))))
    assert fault.position.offset == 1
    assert fault.fault is not None
    assert fault.fault.reason == Reason.DECOMPRESSION_BOMB
    damaged = bytearray(legacy(magic, Codec.GZIP, b"v" * 300))
    damaged[-1] ^= 1
    fault = faulty(read(bytes(damaged)))
    assert fault.fault is not None
    assert fault.fault.reason == Reason.DAMAGED_BATCH


def legacy(magic: int, codec: Codec, value: bytes) -> bytes:
    builder = LegacyRecordBatchBuilder(magic, int(codec), 4 << 20)
    for offset in range(2):
        builder.append(offset, 1_000, b"key", value)
    content = bytearray(builder.build())
    if codec is not Codec.NONE:
        struct.pack_into(">q", content, 0, 1)  # as the broker numbers a set: by its last offset
    return bytes(content)


@given(st.binary(max_size=300), st.sampled_from([*Codec, 5, 6, 7]), st.integers(0, 40))
def test_no_content_breaks_the_reading(payload: bytes, codec: int, count: int) -> None:
    content = batch(payload, count + 1, codec) + plain(b"after", base=count + 1)  # type: ignore[arg-type]
    assert read(content)[-1].value == b"after"


@given(st.data())
def test_no_flipped_byte_costs_a_neighbour(data: st.DataObject) -> None:
    content = bytearray(library_batch(data.draw(st.sampled_from(list(Codec)))))
    at = data.draw(st.integers(12, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    records = read(bytes(content), plain(b"after", base=3))
    assert records[-1].value == b"after"
    assert records[-1].position.offset == 3
    offsets = [record.position.offset for record in records]
    assert offsets == sorted(set(offsets))


@given(
    st.lists(
        st.sampled_from(["sound", "gzip", "with headers", "spoilt", "cut short", "empty"])
        | st.integers(1, 5),
        max_size=12,
    ),
    st.integers(1, 9),
)
def test_batches_read_in_one_go_are_what_they_are_alone(kinds: list[str | int], most: int) -> None:
    content, base = [], 0
    for kind in kinds:
        made, covers = of_some_kind(kind, base)
        content.append(made)
        base += covers
    alone = [record for made in content for record in read(made)]
    share = opened(*content)
    together: list[Record] = []
    while piece := share.records(most):
        together += piece
    assert [str(record) for record in together] == [str(record) for record in alone]


def of_some_kind(kind: str | int, base: int) -> tuple[bytes, int]:
    """A batch at an offset, and how many offsets it covers."""
    if isinstance(kind, int):
        return plain(*[b"many"] * kind, base=base), kind
    if kind == "gzip":
        return plain(b"zipped", b"zipped", base=base, codec=Codec.GZIP), 2
    if kind == "with headers":
        return struct.pack(">q", base) + library_batch(Codec.NONE, [("h", b"1")])[8:], 3
    if kind == "spoilt":
        return batch(one_record(0, b"before") + one_record(2, b"beyond"), 2, base=base), 2
    if kind == "cut short":
        return batch(one_record(0, b"before") + one_record(1, b"", 1 << 40), 2, base=base), 2
    if kind == "empty":
        content = bytearray(batch(b"", 1, base=base))
        struct.pack_into(">i", content, 57, 0)
        return sealed(bytes(content)), 1
    return plain(b"sound", base=base), 1


def test_kafka_python_still_has_the_place_where_this_is_put_in() -> None:
    consumer = KafkaConsumer.__new__(KafkaConsumer)
    consumer._fetcher = Fetcher.__new__(Fetcher)
    read_bounded(consumer, LIMIT)
    made = consumer._fetcher.PartitionRecords(0, PLACE, MemoryRecords(plain(b"a")))
    [share] = made.take()
    assert values(share.records(5)) == [b"a"]
    source = inspect.getsource(Fetcher._parse_fetched_data)
    assert "self.PartitionRecords(" in source, "records are made elsewhere; bombs would explode"


def test_another_kafka_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = KafkaConsumer.__new__(KafkaConsumer)
    with pytest.raises(ConfigurationError, match="install 3"):
        read_bounded(consumer, LIMIT)
    consumer._fetcher = Fetcher.__new__(Fetcher)
    monkeypatch.setattr(kafka, "__version__", "3.1.0")
    with pytest.raises(ConfigurationError, match=r"3\.1\.0 cannot be read with bounded memory"):
        read_bounded(consumer, LIMIT)


@pytest.mark.parametrize("more", [b"", b"a" * 100])
def test_a_length_of_more_than_64_bits_is_what_64_bits_hold_of_it(more: bytes) -> None:
    # As a name's length it is 1 to who reads 64 bits, and beyond every end to who reads all.
    long_one = b"\x82" + b"\x80" * 8 + b"\x02"
    fields = b"\0" + varint(0) + varint(0) + varint(-1) + varint(1) + b"v"
    record = fields + varint(1) + long_one + b"n" + varint(1) + b"h"
    content = batch(varint(len(record)) + record, 1, base=1)
    before, found, *after = read(plain(b"before"), content, plain(more, base=2))
    assert before.value == b"before"
    assert (found.value, found.headers, found.fault) == (b"v", (("n", b"h"),), None)
    assert values(after) == [more]


def test_batches_whose_places_do_not_rise_lose_nothing_behind_the_position() -> None:
    assert values(read(plain(b"a", base=10), plain(b"b", base=3), first=5)) == [b"a", b"b"]


def test_times_beyond_64_bits_wrap_and_stop_nobody() -> None:
    record = b"\0" + varint(5) + varint(0) + varint(-1) + varint(1) + b"x" + varint(0)
    content = varint(len(record)) + record
    batch = Batch(0, len(content), 1, 0, 0, 2**63 - 1, appended=False)
    [records] = records_of(Partition("log", 3), content, [batch])
    assert isinstance(records, Records)
    [found] = records
    assert found.timestamp_ms == -(2**63) + 4
    [letter] = Decoder().decode_all([found]).dead
    assert letter.timestamp_ms == found.timestamp_ms
