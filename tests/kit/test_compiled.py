"""Kernels in which nobody counts references."""

from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.core.errors import TypingError

from detector.kit import compiled
from detector.kit.compiled import borrowing


@borrowing
def _made(count: int) -> float:
    return float(np.zeros(count).sum())


def test_one_that_makes_an_array_is_refused() -> None:
    with pytest.raises(TypingError, match="zeros"):
        _made(3)


def _cache_folder() -> str:
    settings: Any = numba.config
    return str(settings.CACHE_DIR)


Folders = list[tuple[Path, bool]]


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Folders:
    """Where machine code may be kept; nothing can be written below a file."""
    (tmp_path / "file").touch()
    found: Folders = [(tmp_path / "file" / "kernels", True)]
    monkeypatch.setattr(compiled, "_folders", lambda: iter(found))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    return found


def test_the_first_folder_that_can_be_written_is_taken(folders: Folders, tmp_path: Path) -> None:
    folders.append((tmp_path / "lasting", True))
    assert compiled._choose_folder() == (True, "")
    assert str(tmp_path / "lasting") == _cache_folder()


def test_a_temporary_folder_is_taken_with_a_warning(folders: Folders, tmp_path: Path) -> None:
    folders.append((tmp_path / "mine" / "kernels", False))
    kept, warning = compiled._choose_folder()
    assert kept
    assert "NUMBA_CACHE_DIR" in warning
    assert str(tmp_path / "mine" / "kernels") == _cache_folder()


@pytest.mark.parametrize("open_to_others", [True, False])
def test_without_a_folder_nothing_is_kept(
    folders: Folders, tmp_path: Path, open_to_others: bool
) -> None:
    """One that others can write does not count: what stands there is run."""
    if open_to_others:
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared").chmod(0o777)
        folders.append((tmp_path / "shared" / "kernels", False))
    kept, warning = compiled._choose_folder()
    assert not kept
    assert "at each start" in warning
    assert _cache_folder() == ""


def test_a_folder_by_variable_that_cannot_be_written_is_told(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file" / "named"))
    folders.append((tmp_path / "lasting", True))
    kept, warning = compiled._choose_folder()
    assert kept
    assert f"NUMBA_CACHE_DIR: {tmp_path}/file/named cannot be written" in warning


def test_the_first_compilation_is_told_once() -> None:
    told: list[int] = []
    compiled.on_first_compilation(lambda: told.append(1))
    for number in (1, 2):
        numba.njit(lambda x, n=number: x + n)(1.0)
    assert told == [1]
