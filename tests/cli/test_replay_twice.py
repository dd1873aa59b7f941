"""Two runs of one log into one database at the same time."""

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.services.command import ARGUMENTS, environment

PATIENCE = 600.0
"""Seconds: kernels may have to be compiled first, twice."""
BATCH = 10


def command(url: str, *more: str) -> list[str]:
    return [*ARGUMENTS, "replay", "-", "--database-url", url, "--batch-size", str(BATCH), *more]


@contextmanager
def replaying(url: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command(url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment({}),
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def stored(path: Path) -> int:
    """How many lines have been stored; 0 before there is any."""
    try:
        with closing(sqlite3.connect(path)) as database:
            rows = database.execute("SELECT next_offset FROM partitions").fetchall()
    except sqlite3.OperationalError:
        return 0
    return max((offset or 0 for (offset,) in rows), default=0)


def test_the_run_that_loses_its_log_to_another_one_says_so_and_fails(
    attacked_log: Path, tmp_path: Path
) -> None:
    path = tmp_path / "q.db"
    url = f"sqlite:///{path}"
    lines = attacked_log.read_text().splitlines(keepends=True)
    with replaying(url, tmp_path) as loser:
        assert loser.stdin is not None
        loser.stdin.writelines(lines[: 3 * BATCH])
        loser.stdin.flush()
        deadline = time.monotonic() + PATIENCE
        while stored(path) < 2 * BATCH:
            assert time.monotonic() < deadline, "the first run stores nothing"
            assert loser.poll() is None
            time.sleep(0.1)
        winner = subprocess.run(
            command(url),
            input="".join(lines),
            capture_output=True,
            cwd=tmp_path,
            env=environment({}),
            text=True,
            check=False,
        )
        assert winner.returncode == 0, winner.stderr
        _, complaint = loser.communicate("".join(lines[3 * BATCH :]), PATIENCE)
    assert loser.returncode == 1
    assert "another run reads it into the same database" in complaint
    assert "Traceback" not in complaint
    assert stored(path) == len(lines)
