"""The wheel, installed by itself, works away from the repository."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import httpx
import pytest

from detector.storage import migrate
from tests.end_to_end.conftest import Process

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a fresh environment that holds the wheel.

    Dependencies come from the environment that runs the tests, by a path that does not bring its
    editable install along.
    """
    folder = tmp_path_factory.mktemp("installed")
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    pip = [sys.executable, "-m", "pip"]
    wheels = folder / "wheels"
    _run(*pip, "wheel", *quiet, "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT))
    [wheel] = wheels.glob("querywatch-*.whl")
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    _run(*pip, "--python", str(python), "install", *quiet, str(wheel))
    [packages] = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.with_name("querywatch")


def _run(*command: str, cwd: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_migrate_replay_and_serve_work_elsewhere(
    installed: Path, attacked_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    where = _run(
        str(installed.with_name("python")),
        "-c",
        "import detector, detector._migrations as m, detector._schemas as s;"
        "print(detector.__file__, m.__file__, s.__file__)",
        cwd=tmp_path,
    )
    assert all(str(installed.parents[1]) in path for path in where.split())
    command, url = str(installed), f"sqlite:///{tmp_path}/q.db"
    assert migrate.head() in _run(command, "migrate", "--database-url", url, cwd=tmp_path)
    replayed = _run(
        command, "replay", str(attacked_log), "--database-url", url, "--json", "-", cwd=tmp_path
    )
    incidents = json.loads(replayed)["incidents"]
    process = Process(
        ("serve", "--port", "0", "--database-url", url), {}, tmp_path, executable=(command,)
    )
    try:
        base = process.wait_for(r"listens on (http://\S+)")
        served = httpx.get(f"{base}/api/v1/incidents").raise_for_status().json()["items"]
        assert {item["incident_id"] for item in served} == {
            item["incident_id"] for item in incidents
        }
        assert process.stop() == 0
    finally:
        process.kill()
