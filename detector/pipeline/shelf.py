"""Stored references by digest, decoded once and shared by all partitions of a process."""

from collections.abc import Iterator

from detector.events.model import ModelKey
from detector.kit.errors import ConfigurationError
from detector.pipeline.ports import ReferenceInfo, References, ReferenceStatus
from detector.reference.picture import Reference


class ReferenceShelf:
    """Decoded references, at most `limit`; those that came first are forgotten first."""

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._known: dict[tuple[ModelKey, str], Reference] = {}

    def find(self, references: References, model: ModelKey, digest: str) -> Reference | None:
        """Return a reference, None when it is not stored or of a format that is not read here."""
        key = (model, digest)
        if key not in self._known:
            body = references.find(model, digest)
            try:
                found = Reference.from_bytes(body) if body is not None else None
            except ConfigurationError:
                found = None
            if found is None:
                return None
            while len(self._known) >= self._limit:
                del self._known[next(iter(self._known))]
            self._known[key] = found
        return self._known[key]


def active(references: References) -> Iterator[ReferenceInfo]:
    """Return the references in force, one a model."""
    return (info for info in references.list() if info.status is ReferenceStatus.ACTIVE)
