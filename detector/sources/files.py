"""Log files as a source: `.jsonl`, `.gz`, `.zst`, and `-` for standard input, one after another."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import zstandard

from detector.events.record import Partition, Position, Record, by_partition
from detector.kit.errors import ConfigurationError, DamagedLogError
from detector.pipeline.source import LogEnds, Poll
from detector.sources.compression import STDIN, LogFile

Progress = Callable[[int, int], None]
"""Called with the bytes read so far, as they stand on disk, and their total (0 when unknown)."""

MAX_LINE_BYTES = (1 << 20) + 1
_SKIP_BYTES = 1 << 16
# As far as anybody asks: how many lines a file has is known at its end.
_NO_END = 1 << 62


class FileSource:
    """Reads lines of files; each file is one partition, a line's number (from 0) its offset.

    Blank lines count as offsets but yield no record. A line longer than `max_line_bytes` is handed
    over cut to that length, which must lie above what decoding takes, so that it ends as a dead
    letter while memory stays bounded.

    Raises:
        ConfigurationError: when a file does not exist or is named twice.
    """

    def __init__(
        self,
        names: Sequence[str],
        progress: Progress | None = None,
        max_line_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        for name in names:
            if name != STDIN and not Path(name).is_file():
                raise ConfigurationError(f"{name}: no such file")
        if len(set(names)) != len(names):
            raise ConfigurationError("a log file is named twice")
        self._waiting = [Partition(name, 0) for name in names]
        self._announced = False
        self._starts: dict[Partition, int] = {}
        self._current: _Lines | None = None
        self._damage: DamagedLogError | None = None
        self._paused = False
        self._progress = progress
        self._max_line_bytes = max_line_bytes
        sizes = [0 if name == STDIN else Path(name).stat().st_size for name in names]
        self._total = sum(sizes)
        self._finished_bytes = 0

    def poll(self, max_records: int, timeout_s: float) -> Poll:
        """Return the next lines; files never make it wait.

        Raises:
            DamagedLogError: when a file ends too early or is not what its name says.
        """
        if not self._announced:
            self._announced = True
            return Poll(assigned=tuple(self._waiting), ended=not self._waiting)
        if self._paused:
            return Poll()
        if self._damage is not None:
            raise self._damage
        records: list[Record] = []
        try:
            while len(records) < max_records and self._open_next():
                self._read(records, max_records)
        except DamagedLogError as damage:
            if not records:
                raise
            self._damage = damage  # after what stands before it was handed over
        self._report()
        return Poll(by_partition(records), ended=self._current is None and not self._waiting)

    def _open_next(self) -> bool:
        """Make sure that a file is open; False when none is left or the next is not started."""
        if self._current is None and self._waiting and self._waiting[0] in self._starts:
            partition = self._waiting.pop(0)
            file = LogFile(partition.topic)
            self._current = _Lines(file, self._starts[partition], self._max_line_bytes)
        return self._current is not None

    def _read(self, records: list[Record], max_records: int) -> None:
        lines = self._current
        if lines is None:
            return
        while len(records) < max_records:
            record = lines.next()
            if record is None:
                self._leave(lines)
                return
            records.append(record)

    def _leave(self, lines: "_Lines") -> None:
        self._finished_bytes += lines.file.bytes_read()
        lines.file.close()
        self._current = None

    def _report(self) -> None:
        if self._progress is not None:
            now = self._current.file.bytes_read() if self._current else 0
            self._progress(self._finished_bytes + now, self._total)

    def ends(self, partition: Partition) -> LogEnds:
        """From the first line on, without an end that is known."""
        del partition
        return LogEnds(0, _NO_END)

    def start(self, partition: Partition, offset: int | None) -> None:
        """Let a file be read once its turn comes, from that line on; an open one at once.

        Raises:
            DamagedLogError: when that line of standard input has been read already.
        """
        self._starts[partition] = first = offset or 0
        if partition in self._waiting:
            return
        lines = self._current
        if lines is not None and lines.file.name == partition.topic:
            if lines.skip_to(first):
                return
            lines.file.close()
            self._current = None
        if partition.topic == STDIN:
            raise DamagedLogError(f"{STDIN}: standard input cannot be read again from line {first}")
        self._waiting.insert(0, partition)

    def pause(self) -> None:
        """Yield nothing until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Undo `pause`."""
        self._paused = False

    def hold(self, partition: Partition) -> None:
        """Leave the file; it counts as read."""
        self._waiting = [waiting for waiting in self._waiting if waiting != partition]
        if self._current is not None and self._current.file.name == partition.topic:
            self._leave(self._current)

    def lag(self) -> Mapping[Partition, int]:
        """Nothing: how many lines a file has is known at its end."""
        return {}

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Do nothing: no tool asks a file for its readers' positions."""

    def close(self) -> None:
        """Close the file that is open."""
        if self._current is not None:
            self._current.file.close()
            self._current = None


class _Lines:
    """The lines of one file from a given number on, as records."""

    def __init__(self, file: LogFile, first: int, max_bytes: int) -> None:
        self.file = file
        self._stream: BufferedReader | BinaryIO = file.stream
        self._max_bytes = max_bytes
        self._offset = 0
        self._first = first

    def skip_to(self, first: int) -> bool:
        """Go on at that line; False when it has been read already."""
        self._first = first
        return first >= self._offset

    def next(self) -> Record | None:
        """Return the next line that is not blank, or None at the end."""
        while (line := self._line()) is not None:
            offset = self._offset
            self._offset += 1
            if offset >= self._first and line and not line.isspace():
                return Record(Position(self.file.name, 0, offset), line)
        return None

    def _line(self) -> bytes | None:
        try:
            line = self._stream.readline(self._max_bytes)
            if len(line) == self._max_bytes and not line.endswith(b"\n"):
                self._skip_rest()
        except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
            place = f"{self.file.name}, line {self._offset}"
            raise DamagedLogError(f"{place}: cannot read on: {error}") from error
        return line.rstrip(b"\r\n") if line else None

    def _skip_rest(self) -> None:
        while (rest := self._stream.readline(_SKIP_BYTES)) and not rest.endswith(b"\n"):
            pass
