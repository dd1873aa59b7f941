"""The MITRE ATLAS techniques and mitigations that incidents name (release 5.6)."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from detector.scoring.finding import AttackClass

RELEASE = "5.6.0"


class AtlasItem(NamedTuple):
    """A technique or mitigation: its id, its name and the page that explains it."""

    atlas_id: str
    name: str
    url: str


def _technique(atlas_id: str, name: str) -> AtlasItem:
    return AtlasItem(atlas_id, name, f"https://atlas.mitre.org/techniques/{atlas_id}")


def _mitigation(atlas_id: str, name: str) -> AtlasItem:
    return AtlasItem(atlas_id, name, f"https://atlas.mitre.org/mitigations/{atlas_id}")


TECHNIQUES: Mapping[str, AtlasItem] = {
    item.atlas_id: item
    for item in (
        _technique("AML.T0024.000", "Infer Training Data Membership"),
        _technique("AML.T0024.001", "Invert AI Model"),
        _technique("AML.T0024.002", "Extract AI Model"),
        _technique("AML.T0005.001", "Train Proxy via Replication"),
        _technique("AML.T0043.001", "Black-Box Optimization"),
        _technique("AML.T0042", "Verify Attack"),
        _technique("AML.T0034.000", "Excessive Queries"),
        _technique("AML.T0029", "Denial of AI Service"),
    )
}
"""By id."""

_OBFUSCATION = _mitigation("AML.M0002", "Passive AI Output Obfuscation")
_QUERY_LIMIT = _mitigation("AML.M0004", "Restrict Number of AI Model Queries")
_ACCESS = _mitigation("AML.M0019", "Control Access to AI Models and Data in Production")
_TELEMETRY = _mitigation("AML.M0024", "AI Telemetry Logging")

_MITIGATIONS: Mapping[AttackClass, tuple[AtlasItem, ...]] = {
    AttackClass.EXTRACTION: (_QUERY_LIMIT, _OBFUSCATION, _ACCESS, _TELEMETRY),
    AttackClass.INVERSION: (_OBFUSCATION, _QUERY_LIMIT, _ACCESS, _TELEMETRY),
    AttackClass.MEMBERSHIP: (_OBFUSCATION, _QUERY_LIMIT, _ACCESS, _TELEMETRY),
    AttackClass.EVASION: (_QUERY_LIMIT, _OBFUSCATION, _TELEMETRY),
    AttackClass.HARVESTING: (_QUERY_LIMIT, _ACCESS, _TELEMETRY),
    AttackClass.ANOMALY: (_TELEMETRY,),
}


def techniques(atlas_ids: Iterable[str]) -> tuple[AtlasItem, ...]:
    """Return the catalogue's entries for ids; an id that it does not have is left out."""
    return tuple(TECHNIQUES[atlas_id] for atlas_id in atlas_ids if atlas_id in TECHNIQUES)


def mitigations(attack_class: AttackClass) -> tuple[AtlasItem, ...]:
    """Return what to do about an attack of that class, the most fitting first."""
    return _MITIGATIONS[attack_class]
