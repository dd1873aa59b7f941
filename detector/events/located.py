"""A decoded event together with the place it was read from."""

from typing import NamedTuple

from detector.events.model import PredictionEvent
from detector.events.record import Position


class LocatedEvent(NamedTuple):
    """What decoding hands to detection."""

    position: Position
    event: PredictionEvent
