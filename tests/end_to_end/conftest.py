"""`querywatch` as a process of its own, and logs for it."""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.logs import write_attacked_log, write_benign_log
from tests.services.command import ARGUMENTS, environment

PATIENCE = 120.0


class Process:
    """A running command whose standard error is read as it comes."""

    def __init__(
        self,
        arguments: tuple[str, ...],
        settings: Mapping[str, str],
        cwd: Path,
        executable: tuple[str, ...] = ARGUMENTS,
    ) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self.popen = subprocess.Popen(
            [*executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env=environment(settings),
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()

    def wait_for(self, pattern: str) -> str:
        """The first group of the first line that matches, once there is one."""

        def found() -> str | None:
            matches = (re.search(pattern, line) for line in self.lines)
            return next((match[1] for match in matches if match), None)

        with self._changed:
            assert self._changed.wait_for(found, PATIENCE), "".join(self.lines)
            value = found()
        assert value is not None
        return value

    def stop(self) -> int:
        """Ask it to end as a process manager does; returns its exit code."""
        self.popen.send_signal(signal.SIGTERM)
        code = self.popen.wait(PATIENCE)
        self._reader.join()
        return code

    def kill(self) -> None:
        """Make sure that it is gone."""
        self.popen.kill()
        self.popen.wait()
        self._reader.join()


@contextmanager
def running(cwd: Path, *arguments: str, **settings: str) -> Iterator[Process]:
    """The command with these settings, by field name, until the block ends."""
    process = Process(arguments, settings, cwd)
    try:
        yield process
    finally:
        process.kill()


def querywatch(cwd: Path, *arguments: str, **settings: str) -> str:
    """Run a command to its end; returns its standard output."""
    done = subprocess.run(
        [*ARGUMENTS, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=environment(settings),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def benign_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trusted traffic."""
    return write_benign_log(tmp_path_factory.mktemp("logs") / "benign.jsonl")


@pytest.fixture(scope="session")
def attacked_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traffic with one attacker in it."""
    return write_attacked_log(tmp_path_factory.mktemp("logs") / "attacked.jsonl")
