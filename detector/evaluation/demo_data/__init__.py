"""The demo's logs and ground truth, as they ship with the package."""

from importlib.resources import files
from pathlib import Path

REFERENCE = "reference.jsonl.zst"
LOG = "log.jsonl.zst"
TRUTH = "truth.json"


def _path(name: str) -> Path:
    return Path(str(files(__name__).joinpath(name)))


def reference_path() -> Path:
    """Return the log of benign clients a week earlier."""
    return _path(REFERENCE)


def log_path() -> Path:
    """Return the log of attackers among benign clients."""
    return _path(LOG)


def truth_path() -> Path:
    """Return what each client of `log_path` really does, as JSON by client id."""
    return _path(TRUTH)
