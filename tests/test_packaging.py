"""The wheel holds everything that the repository's tree gives the package at run time."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel of this tree, built from a copy free of earlier builds."""
    folder = tmp_path_factory.mktemp("wheel")
    left = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, folder / "tree", ignore=left)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            *options,
            "--wheel-dir",
            str(folder),
            str(folder / "tree"),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    [wheel] = folder.glob("querywatch-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def shipped(tree: str, pattern: str, package: str) -> set[str]:
    folder = ROOT / tree
    paths = [path.relative_to(folder) for path in folder.glob(pattern) if path.is_file()]
    return {f"{package}/{path.as_posix()}" for path in paths if "__pycache__" not in path.parts}


@pytest.mark.parametrize(
    ("tree", "pattern", "package"),
    [
        ("detector", "**/*.py", "detector"),
        ("detector", "py.typed", "detector"),
        ("detector/evaluation/demo_data", "*", "detector/evaluation/demo_data"),
        ("detector/evaluation/report", "*.j2", "detector/evaluation/report"),
        ("migrations", "**/*.py", "detector/_migrations"),
        ("migrations", "*.mako", "detector/_migrations"),
        ("schemas", "**/*.json", "detector/_schemas"),
    ],
)
def test_nothing_is_left_out(contents: set[str], tree: str, pattern: str, package: str) -> None:
    assert shipped(tree, pattern, package) <= contents


def test_nothing_else_is_in_it(contents: set[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in contents} == {"detector", "querywatch"}
