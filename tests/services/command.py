"""`querywatch` as a process of its own: how it is called, and what it is told."""

import os
import sys
from collections.abc import Mapping

ARGUMENTS = (sys.executable, "-c", "from detector.cli.main import main; main()")
"""The command from this checkout, whether or not it is on anybody's path."""


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with settings by field name."""
    return {**os.environ, **{f"QUERYWATCH_{k.upper()}": value for k, value in settings.items()}}
