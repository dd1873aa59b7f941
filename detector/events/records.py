"""Many log records as columns over the memory that they came in."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from detector.events.bits import copy_bytes, pointer
from detector.events.record import Partition, Position, Record
from detector.kit.compiled import borrowing

NULL = -1
"""The end of a key or a value that is not there."""

NO_TIME = -1
"""The time of a record without one, as Kafka writes it."""

Places = NDArray[np.intp]

_new_position = tuple.__new__


class Columns(NamedTuple):
    """Columns of n records.

    Attributes:
        offsets: (n,) where each stands in its partition.
        times: (n,) their timestamps, UTC milliseconds, negative for none.
        keys: (n, 2) where each key begins and ends in its memory; an end of `NULL` where none is.
        values: (n, 2) the same of the bodies.
        memory: (n,) the number of the memory that each is in, never falling.
        odd: (n,) whether a record says more than this, and is made already.
        made: (n,) those records, None elsewhere.
    """

    offsets: NDArray[np.int64]
    times: NDArray[np.int64]
    keys: NDArray[np.int64]
    values: NDArray[np.int64]
    memory: NDArray[np.int64]
    odd: NDArray[np.bool_]
    made: NDArray[Any]


class Records(Sequence[Record]):
    """Records in the order of the log, each of which is made when it is asked for.

    Attributes:
        columns: What they are.
    """

    def __init__(self, partition: Partition, columns: Columns, memories: Sequence[bytes]) -> None:
        """Take records of one partition, but for those that are made already."""
        self.columns = columns
        self._partition = partition
        self._memories = memories

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Records":
        """Return records that are made already, of any partitions, with their columns."""
        if isinstance(records, Records):
            return records
        packed = cls.packed(
            Partition("", 0),
            [record.position.offset for record in records],
            [time_of(record) for record in records],
            repeat(None, len(records)),
            [record.value for record in records],
        )
        packed.columns.odd[:] = True
        packed.columns.made[:] = records
        return packed

    @classmethod
    def packed(
        cls,
        partition: Partition,
        offsets: Sequence[int],
        times: Sequence[int],
        keys: Iterable[bytes | None],
        values: Iterable[bytes | None],
    ) -> "Records":
        """Return records without headers, of which everything but the place is given for each."""
        memory, key_spans = _in_a_row(keys, 0)
        more, value_spans = _in_a_row(values, len(memory))
        columns = Columns(
            offsets=np.array(offsets, dtype=np.int64),
            times=np.array(times, dtype=np.int64),
            keys=key_spans,
            values=value_spans,
            memory=np.zeros(len(offsets), dtype=np.int64),
            odd=np.zeros(len(offsets), dtype=np.bool_),
            made=np.full(len(offsets), None, dtype=np.object_),
        )
        return cls(partition, columns, (memory + more,) if memory else (more,))

    @classmethod
    def joined(cls, pieces: Sequence["Records"]) -> "Records":
        """Return all records of pieces of one partition, of which there is at least one."""
        if len(pieces) == 1:
            return pieces[0]
        memories: list[bytes] = []
        numbers = []
        for piece in pieces:
            numbers.append(piece.columns.memory + len(memories))
            memories += piece._memories
        columns = Columns._make(map(np.concatenate, zip(*(p.columns for p in pieces), strict=True)))
        columns = columns._replace(memory=np.concatenate(numbers))
        # A piece of made records does not know where it is from, and need not.
        return cls(max(piece._partition for piece in pieces), columns, memories)

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.columns.offsets)

    @overload
    def __getitem__(self, at: int) -> Record: ...

    @overload
    def __getitem__(self, at: slice) -> "Records": ...

    def __getitem__(self, at: int | slice) -> "Record | Records":
        """Return one record, or some of them with their columns."""
        if isinstance(at, slice):
            return self._those(at)
        place = range(len(self))[at]
        columns = self.columns
        made: Record | None = columns.made[place]
        if made is not None:
            return made
        memory = self._memories[columns.memory[place]]
        (key, key_end), (value, end) = columns.keys[place].tolist(), columns.values[place].tolist()
        return Record(
            Position(*self._partition, int(columns.offsets[place])),
            None if end == NULL else memory[value:end],
            None if key_end == NULL else memory[key:key_end],
            (),
            int(columns.times[place]),
        )

    def take(self, places: Places) -> "Records":
        """Return some records, in the order of the (k,) `places`, which rise."""
        return self._those(places)

    def _those(self, places: slice | Places) -> "Records":
        columns = Columns._make([column[places] for column in self.columns])
        return Records(self._partition, columns, self._memories)

    def __iter__(self) -> Iterator[Record]:
        """Return the records, made column by column: a third of the time of one by one."""
        columns = self.columns
        if columns.odd.all():
            return iter(columns.made.tolist())
        topic, number = self._partition
        places = zip(repeat(topic), repeat(number), columns.offsets.tolist())
        records = list(
            map(
                Record,
                map(_new_position, repeat(Position), places),
                self._fields(columns.values),
                self._fields(columns.keys),
                repeat(()),
                columns.times.tolist(),
            )
        )
        for at in np.flatnonzero(columns.odd).tolist():
            records[at] = columns.made[at]
        return iter(records)

    def _fields(self, spans: NDArray[np.int64]) -> Iterable[bytes | None]:
        begins, ends = spans.T.tolist()
        memories = [self._memories[number] for number in self.columns.memory.tolist()]
        return [
            None if end == NULL else memory[begin:end]
            for memory, begin, end in zip(memories, begins, ends, strict=True)
        ]

    def __eq__(self, other: object) -> bool:
        """Return whether the other is a sequence of the same records."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def texts(self, longest: int, wanted: Callable[[Record], bool], padding: int) -> "Texts":
        """Return the bodies; none of what is longer than `longest`, or odd and not `wanted`."""
        spans = self.columns.values
        sizes = spans[:, 1] - spans[:, 0]
        sizes[(spans[:, 1] == NULL) | (sizes > longest)] = 0
        for at in np.flatnonzero(self.columns.odd).tolist():
            if not wanted(self.columns.made[at]):
                sizes[at] = 0
        data = np.empty(int(sizes.sum()) + len(self) + padding, dtype=np.uint8)
        at = begin = 0
        for end in [*(np.flatnonzero(np.diff(self.columns.memory)) + 1).tolist(), len(self)]:
            if begin < end:
                memory = np.frombuffer(self._memories[self.columns.memory[begin]], np.uint8)
                at = _copy(memory, spans[begin:end], sizes[begin:end], data, at)
            begin = end
        data[at:] = 0
        return Texts(data, sizes)


class Texts(NamedTuple):
    """Texts in one row of bytes.

    Attributes:
        data: The texts, a zero byte behind each, and more of them in the end.
        sizes: (n,) how long each is.
    """

    data: NDArray[np.uint8]
    sizes: NDArray[np.int64]


def gathered(
    memory: NDArray[np.uint8], spans: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Return pieces of memory one behind the other, a zero byte behind each.

    `spans` (n, 2) says where each begins, `sizes` (n,) how long it is.
    """
    data = np.empty(int(sizes.sum()) + len(sizes), dtype=np.uint8)
    _copy(memory, spans, sizes, data, 0)
    return data


@borrowing
def _copy(memory: Any, spans: Any, sizes: Any, data: Any, at: int) -> int:
    """Copy pieces of memory, as many bytes of each as its size says; returns where they end."""
    target, source = pointer(data), pointer(memory)
    for i in range(len(sizes)):
        copy_bytes(target, at, source, spans[i, 0], sizes[i])
        data[at + sizes[i]] = 0
        at += sizes[i] + 1
    return at


def _in_a_row(fields: Iterable[bytes | None], first: int) -> tuple[bytes, NDArray[np.int64]]:
    """Return the fields one behind the other, and where each begins and ends from `first` on."""
    given = list(fields)
    some = [field or b"" for field in given]
    ends = first + np.cumsum(np.fromiter(map(len, some), np.int64, len(some)))
    spans = np.stack([np.concatenate([[first], ends])[: len(ends)], ends], axis=1)
    spans[[field is None for field in given], 1] = NULL
    return b"".join(some), spans


def time_of(record: Record) -> int:
    """Return the record's time, UTC milliseconds, negative for none."""
    return NO_TIME if record.timestamp_ms is None else record.timestamp_ms
