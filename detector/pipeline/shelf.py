"""Stored references by digest, decoded once and shared by all partitions of a process."""

import logging
from collections.abc import Iterator

from detector.events.model import ModelKey
from detector.kit.errors import ConfigurationError
from detector.pipeline.ports import ReferenceInfo, References, ReferenceStatus
from detector.reference.picture import Reference

log = logging.getLogger(__name__)


class ReferenceShelf:
    """Decoded references, at most `limit`; those that came first are forgotten first."""

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._known: dict[tuple[ModelKey, str], Reference | None] = {}

    def find(self, references: References, model: ModelKey, digest: str) -> Reference | None:
        """Return a reference, None when it is not stored or of a format that is not read here.

        Who does not read it is told in the log, once.
        """
        key = (model, digest)
        if key not in self._known:
            body = references.find(model, digest)
            if body is None:
                return None
            while len(self._known) >= self._limit:
                del self._known[next(iter(self._known))]
            self._known[key] = _decoded(model, body)
        return self._known[key]


def _decoded(model: ModelKey, body: bytes) -> Reference | None:
    try:
        return Reference.from_bytes(body)
    except ConfigurationError as error:
        log.error(
            "model %s: a stored reference cannot be used, build it anew: %s", model.model_id, error
        )
        return None


def active(references: References) -> Iterator[ReferenceInfo]:
    """Return the references in force, one a model."""
    return (info for info in references.list() if info.status is ReferenceStatus.ACTIVE)
