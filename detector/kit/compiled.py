"""The decorators for compiled kernels, and where their machine code is kept.

numba keeps machine code for each source file and notices when that file changes, but not when a
file changes whose functions it has inlined. So the code is kept in a folder named after the content
of all rooms that have kernels: another content, another folder. Where the package's own folder
cannot be written, a folder of the user's is taken, then one under the temporary folder, which is
made for this user alone because whoever writes there says what is run. Where nothing at all can be
written, nothing is kept.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
from numba.core import event
from numba.misc.appdirs import user_cache_dir

PACKAGE = Path(__file__).resolve().parent.parent
KERNEL_ROOMS = ("kit", "events", "reference", "features", "scoring", "sources")


def _digest() -> str:
    content = hashlib.sha256()
    for room in KERNEL_ROOMS:
        for source in sorted((PACKAGE / room).rglob("*.py")):
            content.update(source.read_bytes())
    return content.hexdigest()[:16]


def _folders() -> Iterator[tuple[Path, bool]]:
    """Where machine code may be kept, best first, and whether it lasts there."""
    name = f"kernels-{_digest()}"
    yield PACKAGE / "__pycache__" / name, True
    users: Callable[..., str] = user_cache_dir
    yield Path(users("querywatch", False)) / name, True
    yield Path(tempfile.gettempdir()) / f"querywatch-{os.getuid()}" / name, False


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _private(folder: Path) -> bool:
    """Whether a folder, made if need be, is this user's alone: what stands there is run."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    ours = found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return ours and stat.S_ISDIR(found.st_mode)


def _choose_folder() -> tuple[bool, str]:
    """Tell numba where to keep machine code; returns whether it is kept, and what to warn of."""
    settings: Any = numba.config
    chosen = settings.CACHE_DIR
    if chosen and _writable(Path(chosen)):
        return True, ""
    advice = (
        f"NUMBA_CACHE_DIR: {chosen} cannot be written"
        if chosen
        else "name a folder that lasts by NUMBA_CACHE_DIR"
    )
    try:
        for folder, lasting in _folders():
            if (lasting or _private(folder.parent)) and _writable(folder):
                settings.CACHE_DIR = str(folder)
                if lasting and not chosen:
                    return True, ""
                return True, f"compiled kernels are kept in {folder}, for now; {advice}"
    except OSError:  # there is no temporary folder either
        pass
    return False, f"kernels are compiled anew at each start, which takes a minute; {advice}"


_KEPT, CACHE_PROBLEM = _choose_folder()
"""Whether machine code is kept, and what to say of where, if anything."""

# Its types do not know the option that says whether references are counted.
_njit: Callable[..., Any] = numba.njit

# What counts references must say so: a function takes on this setting from who calls it first.
compiled: Callable[..., Any] = _njit(cache=_KEPT, nogil=True, _nrt=True)

borrowing: Callable[..., Any] = _njit(cache=_KEPT, nogil=True, _nrt=False)
"""The same for functions that neither make arrays nor return any.

Nothing counts the references to the rows that they look at, which takes longer than most of their
arithmetic. numba refuses to compile one that makes an array; one that returned an array would leave
its caller with a reference that nobody counted.
"""

dividing: Callable[..., Any] = _njit(cache=_KEPT, nogil=True, _nrt=False, error_model="numpy")
"""The same, where a division by 0 is no error: only so are many divisions made at once."""

estimating: Callable[..., Any] = _njit(
    cache=_KEPT, nogil=True, _nrt=False, fastmath={"reassoc", "nsz", "contract"},
    error_model="numpy",
)  # fmt: skip
"""The same again for loops whose sums may be taken in any order, which run many fields at once.

Of what these return no finding may depend but by a bound on their rounding.
"""


class _First(event.Listener):
    def __init__(self, tell: Callable[[], object]) -> None:
        self._tell = tell
        self._told = False

    def on_start(self, event: object) -> None:
        del event
        if not self._told:
            self._told = True
            self._tell()

    def on_end(self, event: object) -> None:
        del event


def on_first_compilation(tell: Callable[[], object]) -> None:
    """Call `tell` once, before the first kernel from now on is compiled rather than loaded."""
    register: Callable[..., Any] = event.register
    register("numba:compile", _First(tell))
