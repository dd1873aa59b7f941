import gzip
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard

from detector.events.record import Partition, Record
from detector.kit.errors import ConfigurationError, DamagedLogError
from detector.sources.files import FileSource
from tests.sources.conformance import SourceConformance, values

WRITERS: dict[str, Callable[[bytes], bytes]] = {
    "log.jsonl": lambda content: content,
    "log.jsonl.gz": gzip.compress,
    "log.jsonl.zst": zstandard.compress,
}


@pytest.fixture(params=WRITERS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def write(folder: Path, name: str, content: bytes) -> str:
    path = folder / name
    path.write_bytes(WRITERS[name](content))
    return str(path)


def read_all(source: FileSource, at_once: int = 3) -> list[Record]:
    records: list[Record] = []
    read_into(records, source, at_once)
    return records


def read_into(records: list[Record], source: FileSource, at_once: int) -> None:
    while True:
        poll = source.poll(at_once, 0)
        records += poll.records
        for partition in poll.assigned:
            source.start(partition, None)
        if poll.ended:
            source.close()
            return


class TestFileSource(SourceConformance):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path, form: str) -> None:
        self.folder, self.form = tmp_path, form

    @contextmanager
    def open(self, bodies: Sequence[bytes]) -> Iterator[FileSource]:
        source = FileSource([write(self.folder, self.form, b"\n".join(bodies))])
        yield source
        source.close()


def test_offsets_are_line_numbers_and_blank_lines_count(tmp_path: Path, form: str) -> None:
    name = write(tmp_path, form, b"first\r\n\n  \nfourth\nlast without an end")
    records = read_all(FileSource([name]))
    assert values(records) == [b"first", b"fourth", b"last without an end"]
    assert [record.position.offset for record in records] == [0, 3, 4]


def test_files_follow_each_other_in_the_order_given(tmp_path: Path) -> None:
    names = [write(tmp_path, name, name.encode() + b"\nend\n") for name in reversed(WRITERS)]
    records = read_all(FileSource(names))
    expected = [body for name in reversed(WRITERS) for body in (name.encode(), b"end")]
    assert values(records) == expected
    assert [record.partition for record in records[::2]] == [Partition(name, 0) for name in names]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\n")))
    assert values(read_all(FileSource(["-"]))) == [b"a", b"b"]


def test_an_endless_line_is_cut_and_its_neighbours_are_whole(tmp_path: Path, form: str) -> None:
    name = write(tmp_path, form, b"before\n" + b"x" * 300_000 + b"\nafter\n")
    before, cut, after = read_all(FileSource([name], max_line_bytes=1_000))
    assert values([before, after]) == [b"before", b"after"]
    assert cut.value == b"x" * 1_000
    assert after.position.offset == 2


@pytest.mark.parametrize("name", ["log.jsonl.gz", "log.jsonl.zst"])
def test_a_truncated_file_names_the_place(tmp_path: Path, name: str) -> None:
    lines = [os.urandom(30).hex().encode() for _ in range(20_000)]
    path = Path(write(tmp_path, name, b"\n".join(lines)))
    path.write_bytes(path.read_bytes()[:-1_000])
    source = FileSource([str(path)])
    whole: list[Record] = []
    with pytest.raises(DamagedLogError) as damage:
        read_into(whole, source, at_once=3_000)
    source.close()
    assert values(whole) == lines[: len(whole)]
    assert len(whole) > 10_000
    assert f"{name}, line {len(whole)}: cannot read on" in str(damage.value)


@pytest.mark.parametrize("name", ["log.jsonl.gz", "log.jsonl.zst"])
def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b'{"plain": "json"}\n')
    source = FileSource([str(path)])
    with pytest.raises(DamagedLogError, match="line 0"):
        read_all(source)
    source.close()


def test_several_zstd_frames_are_one_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl.zst"
    path.write_bytes(b"".join(zstandard.compress(b"%d\n" % n) for n in range(500)))
    assert values(read_all(FileSource([str(path)]))) == [b"%d" % n for n in range(500)]


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    names = [write(tmp_path, name, b"line\n" * 5_000) for name in WRITERS]
    seen: list[tuple[int, int]] = []
    read_all(FileSource(names, progress=lambda now, total: seen.append((now, total))), at_once=500)
    total = sum(Path(name).stat().st_size for name in names)
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)


def test_a_missing_or_doubled_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        FileSource([str(tmp_path / "absent.jsonl")])
    name = write(tmp_path, "log.jsonl", b"")
    with pytest.raises(ConfigurationError, match="twice"):
        FileSource([name, name])


def test_a_file_that_was_read_to_its_end_can_be_started_again(tmp_path: Path) -> None:
    first, second = (write(tmp_path, name, b"a\nb\nc") for name in ("log.jsonl", "log.jsonl.gz"))
    source = FileSource([first, second])
    for partition in source.poll(9, 0).assigned:
        source.start(partition, None)
    assert len(source.poll(4, 0).records) == 4
    source.start(Partition(first, 0), 2)
    places = [(r.position.topic, r.position.offset) for r in source.poll(9, 0).records]
    assert sorted(places) == [(first, 2), (second, 1), (second, 2)]


def test_standard_input_goes_forward_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\nc\nd\n")))
    source = FileSource(["-"])
    [partition] = source.poll(9, 0).assigned
    source.start(partition, None)
    assert values(source.poll(1, 0).records) == [b"a"]
    source.start(partition, 2)
    assert values(source.poll(1, 0).records) == [b"c"]
    with pytest.raises(DamagedLogError, match="cannot be read again from line 1"):
        source.start(partition, 1)
