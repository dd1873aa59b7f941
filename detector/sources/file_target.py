"""A log file as what records are copied to: a line for each, at the end."""

import os
from collections.abc import Sequence

from detector.pipeline.copies import Copy


class FileTarget:
    """Appends lines to a file, which is made when there is none."""

    def __init__(self, name: str) -> None:
        self._name = name

    def write(self, copies: Sequence[Copy]) -> Sequence[str]:
        """Append the values as lines; they are on disk when this returns. Keys are left out."""
        with open(self._name, "ab") as file:
            file.writelines((copy.value or b"") + b"\n" for copy in copies)
            file.flush()
            os.fsync(file.fileno())
        return [self._name] * len(copies)
