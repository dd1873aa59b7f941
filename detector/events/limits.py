"""How much of a log record is believed."""

from dataclasses import dataclass

from detector.kit.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that hold before anything else looks at a record.

    Attributes:
        max_bytes: Largest body that is parsed.
        max_depth: Deepest nesting of brackets.
        max_fields: Most values of an input.
        max_classes: Most scores of an output.
        earliest_ms: Earliest event time, UTC milliseconds; the default, the year 2000, turns away
            seconds passed as milliseconds.
        latest_ms: Event times lie before this; the default, the year 2100, turns away microseconds.
        future_ms: How far an event's time may lie beyond its record's own, and beyond now.
        kept_bytes: How much of a refused body its dead letter keeps.
    """

    max_bytes: int = 1 << 20
    max_depth: int = 32
    max_fields: int = 4096
    max_classes: int = 4096
    earliest_ms: int = 946_684_800_000
    latest_ms: int = 4_102_444_800_000
    future_ms: int = 3_600_000
    kept_bytes: int = 8192

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for bounds that nothing, or nothing safe, could pass."""
        if min(self.max_bytes, self.max_fields, self.max_classes) < 1 or self.kept_bytes < 0:
            raise ConfigurationError("limits on records must be positive")
        if not 4 <= self.max_depth <= 256:
            raise ConfigurationError("max_depth must lie between 4 and 256")
        if self.future_ms < 0:
            raise ConfigurationError("future_ms must not be negative")
        if self.earliest_ms >= self.latest_ms:
            raise ConfigurationError("earliest_ms must lie before latest_ms")
