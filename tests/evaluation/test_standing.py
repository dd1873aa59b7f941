"""What the evaluation takes for a client's explanation is what the product's incident says."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from detector.evaluation.observer import Verdict
from detector.evaluation.outcome import standing
from detector.incidents.aggregate import IncidentPolicy
from detector.incidents.correlate import absorb
from detector.incidents.model import Incident
from detector.scoring.finding import AttackClass
from tests.incidents.findings import finding

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLASSES = {
    "tree_path_finding": AttackClass.EXTRACTION,
    "line_search": AttackClass.EXTRACTION,
    "attribute_sweep": AttackClass.INVERSION,
    "boundary_probing": AttackClass.EVASION,
}


@given(st.lists(st.sampled_from(sorted(CLASSES)), min_size=1, max_size=12))
def test_explanations_that_come_and_go_end_as_the_incident_does(named: list[str]) -> None:
    incidents: dict[str, Incident] = {}
    verdicts = []
    for query, (before, technique) in enumerate(zip(["", *named], named, strict=False), 1):
        supersedes = (before,) if before not in ("", technique) else ()
        found = finding(
            query, technique=technique, attack_class=CLASSES[technique], supersedes=supersedes
        )
        for change in absorb(tuple(incidents.values()), found, IncidentPolicy(), NOW):
            incidents[change.incident.incident_id] = change.incident
        verdicts.append(
            Verdict(query, found.attack_class, technique, 9.0, 0.99, (), supersedes, alarm=True)
        )
    [incident] = [each for each in incidents.values() if each.is_open]
    stands = standing(verdicts)
    assert stands is not None
    assert incident.techniques == (stands.technique,) == (named[-1],)
    assert incident.attack_class is stands.attack_class
