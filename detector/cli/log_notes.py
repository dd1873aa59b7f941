"""What people are told about a log beside its incidents: what was wrong with it, and where."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from detector.events.decode import Decoded, Decoder
from detector.events.model import ModelKey
from detector.events.record import DeadLetter, Position, Record
from detector.kit.errors import DamagedLogError, DecodeError
from detector.pipeline.detect import Detection
from detector.sources.compression import STDIN

MOST_NAMED = 64
HEAD_BYTES = 256

_SIGNATURES = (
    (b"\x1f\x8b", "is gzip data: give it a name that ends in .gz, or pipe it through gunzip"),
    (b"(\xb5/\xfd", "is zstd data: give it a name that ends in .zst, or pipe it through zstdcat"),
)  # fmt: skip
"""How compressed data begins (RFC 1952, 2.3.1; RFC 8878, 3.1.1)."""


@dataclass(frozen=True, slots=True)
class StillLearning:
    """A model that had no reference to the end: what it has shown, of what it needs."""

    model: ModelKey
    events: int
    clients: int


class LogNotes(Decoder):
    """A decoder that remembers what it could not use, bounded whatever the log holds.

    Attributes:
        first: Where the first record of each reason stood.
        unknown: Records with each unknown field, by JSON path.
    """

    def __init__(self, now_ms: Callable[[], int] | None = None) -> None:
        super().__init__(now_ms=now_ms)
        self.first: dict[str, Position] = {}
        self.unknown: Counter[str] = Counter()
        self._heads: dict[str, bytes] = {}
        self._detections: list[Detection] = []

    def decode_all(self, records: Sequence[Record]) -> Decoded:
        """Decode every record; see `Decoder`."""
        decoded = super().decode_all(records)
        for path, count in decoded.unknown_fields.items():
            known = path in self.unknown or len(self.unknown) < MOST_NAMED
            self.unknown[path if known else "other"] += count
        return decoded

    def dead_letter(self, record: Record, error: DecodeError) -> DeadLetter:
        """Return what is kept of a record that cannot be used."""
        place = record.position
        self.first.setdefault(str(error.reason), place)
        if place.offset == 0 and len(self._heads) < MOST_NAMED:
            self._heads[place.topic] = (record.value or b"")[:HEAD_BYTES]
        return super().dead_letter(record, error)

    def watch(self, detection: Detection) -> Detection:
        """Ask this detection later which models it could not judge."""
        self._detections.append(detection)
        return detection

    def learning(self) -> list[StillLearning]:
        """Return the models that had no reference to the end; of several logs, the most shown."""
        found: dict[ModelKey, StillLearning] = {}
        for detection in self._detections:
            for kept in detection.headers()[1]:
                model = ModelKey(kept.tenant_id, kept.model_id)
                item = StillLearning(model, sum(kept.counts.values()), len(kept.counts))
                if model not in found or item.events > found[model].events:
                    found[model] = item
        return [found[model] for model in sorted(found)]

    def require_usable(self, events: int, rejected: int) -> None:
        """Raise `DamagedLogError` when not one record was usable, with a guess at the reason."""
        if events:
            return
        if not rejected:
            raise DamagedLogError("the log holds no record at all: nothing was judged")
        hints = [
            f"{_name(log)} {hint}" for log, head in self._heads.items() if (hint := _hint(head))
        ]
        why = "; ".join(hints[:3]) or "a log is one JSON object a line, see docs/events.md"
        raise DamagedLogError(f"the log holds no usable record: nothing was judged; {why}")


def line_of(place: Position) -> str:
    """A place of a log file for people, who count lines from 1: `line 3 of today.jsonl`."""
    return f"line {place.offset + 1:,} of {_name(place.topic)}"


def _name(log: str) -> str:
    return "standard input" if log == STDIN else log


def _hint(head: bytes) -> str:
    """Guess from the first line, which was no event, what the file is; nothing when unknown."""
    for signature, meaning in _SIGNATURES:
        if head.startswith(signature):
            return meaning
    try:
        text = head.decode().strip()
    except UnicodeDecodeError:
        return "is not text"
    if text.startswith("["):
        return "looks like one JSON array; a log is one JSON object a line"
    if text in ("{", "}"):
        return "looks like JSON over several lines; a log is one JSON object a line"
    if not text.startswith("{") and any(mark in text for mark in ",;\t"):
        return "looks like CSV; a log is one JSON object a line"
    return ""
