"""The command line run in this process, and a log for it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from detector.cli.main import main
from tests.logs import write_attacked_log, write_benign_log


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str


Cli = Callable[..., Result]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    """`cli("replay", path)` runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    # Whether kernels are compiled yet is not what these tests are about.
    monkeypatch.setattr("detector.cli.options._listen", lambda: None)

    def run(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["querywatch", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        captured = capsys.readouterr()
        return Result(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def benign_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trusted traffic."""
    return write_benign_log(tmp_path_factory.mktemp("logs") / "benign.jsonl")


@pytest.fixture(scope="session")
def attacked_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traffic with one attacker in it."""
    return write_attacked_log(tmp_path_factory.mktemp("logs") / "attacked.jsonl")
