"""From what the kernel noted to the profiles that are stored."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from detector.events.located import LocatedEvent
from detector.features.view import by_name
from detector.pipeline.ports import ClientProfile
from detector.scoring.profiles import Profiles
from detector.scoring.signs import SIGNS

_SIGNS = [sign.name for sign in SIGNS]


def client_profiles(
    profiles: Profiles, events: Sequence[LocatedEvent], status: str
) -> list[ClientProfile]:
    """Return the profiles, each noted at its event."""
    scores = np.round(profiles.log_e.astype(np.float64), 4).tolist()
    return [
        ClientProfile(
            client=event.client,
            first_seen=_time(first_ms),
            last_seen=_time(last_ms),
            queries=int(queries),
            identity_source=event.identity_source,
            status=status,
            features=by_name(features),
            scores=dict(zip(_SIGNS, log_e, strict=True)),
        )
        for (_, event), (queries, first_ms, last_ms), features, log_e in zip(
            events, profiles.life.tolist(), profiles.features.tolist(), scores, strict=True
        )
    ]


def _time(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000.0, UTC)
