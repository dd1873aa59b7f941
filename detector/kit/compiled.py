"""The decorators for compiled kernels, and where their machine code is kept.

numba keeps machine code for each source file and notices when that file changes, but not when a
file changes whose functions it has inlined. So the code is kept in a folder named after the content
of all rooms that have kernels: another content, another folder. Where the package's own folder
cannot be written, numba's default (a folder of the user's) is left in force.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

PACKAGE = Path(__file__).resolve().parent.parent
KERNEL_ROOMS = ("kit", "events", "reference", "features", "scoring", "sources")


def _digest() -> str:
    content = hashlib.sha256()
    for room in KERNEL_ROOMS:
        for source in sorted((PACKAGE / room).rglob("*.py")):
            content.update(source.read_bytes())
    return content.hexdigest()[:16]


def _choose_folder() -> None:
    home = PACKAGE / "__pycache__"
    settings: Any = numba.config
    if settings.CACHE_DIR or not os.access(home if home.exists() else PACKAGE, os.W_OK):
        return
    settings.CACHE_DIR = str(home / f"kernels-{_digest()}")


_choose_folder()

# Its types do not know the option that says whether references are counted.
_njit: Callable[..., Any] = numba.njit

# What counts references must say so: a function takes on this setting from who calls it first.
compiled: Callable[..., Any] = _njit(cache=True, nogil=True, _nrt=True)

borrowing: Callable[..., Any] = _njit(cache=True, nogil=True, _nrt=False)
"""The same for functions that neither make arrays nor return any.

Nothing counts the references to the rows that they look at, which takes longer than most of their
arithmetic. numba refuses to compile one that makes an array; one that returned an array would leave
its caller with a reference that nobody counted.
"""

dividing: Callable[..., Any] = _njit(cache=True, nogil=True, _nrt=False, error_model="numpy")
"""The same, where a division by 0 is no error: only so are many divisions made at once."""

estimating: Callable[..., Any] = _njit(
    cache=True, nogil=True, _nrt=False, fastmath={"reassoc", "nsz", "contract"}, error_model="numpy"
)
"""The same again for loops whose sums may be taken in any order, which run many fields at once.

Of what these return no finding may depend but by a bound on their rounding.
"""
