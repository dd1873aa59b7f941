"""SQLite databases at the newest schema, migrated once a process and copied for each test."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from detector.storage.migrate import upgrade


def migrated_url(directory: Path) -> str:
    """SQLAlchemy URL of a database of this test's own in `directory`."""
    path = directory / "querywatch.db"
    path.write_bytes(_template())
    return f"sqlite:///{path}"


@cache
def _template() -> bytes:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "template.db"
        upgrade(f"sqlite:///{path}")
        return path.read_bytes()
