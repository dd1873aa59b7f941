"""The demo's figures are counted by client, against the truth."""

from dataclasses import replace
from pathlib import Path

from detector.cli.scorecard import ClientTruth, Tally, read_truth, score, total
from detector.incidents.model import Severity
from detector.scoring.finding import AttackClass
from tests.storage.shapes import opened

BENIGN = ClientTruth("m", None, None, None, False, "what_if")
THEFT = ClientTruth("m", "extraction", "tree_path_finding", "v", True, None)
ROSTER = ClientTruth("m", "membership", "roster", "v", False, None)


def test_each_client_counts_once_and_info_is_no_alarm() -> None:
    truth = {"a": THEFT, "b": THEFT, "c": BENIGN, "d": BENIGN, "e": ROSTER}
    theft = replace(opened().incident, attack_class=AttackClass.EXTRACTION, severity=Severity.HIGH)
    incidents = [
        replace(theft, client_id="a"),
        replace(theft, client_id="a", attack_class=AttackClass.EVASION),
        replace(theft, client_id="b", attack_class=AttackClass.INVERSION),
        replace(theft, client_id="c", severity=Severity.INFO),
        replace(theft, client_id="d", severity=Severity.LOW),
    ]
    card = score(truth, incidents)
    assert card.attacks == {("extraction", "tree_path_finding"): Tally(2, 2, 1)}
    assert card.benign == {"what_if": Tally(2, 1, 0)}
    assert card.silent == {("membership", "roster"): Tally(1, 0, 0)}
    assert total([Tally(2, 2, 1), Tally(1, 0, 0)]) == Tally(3, 2, 1)


def test_truth_is_read_as_the_generator_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text(
        '{"a": {"model_id": "m", "attack_class": null, "technique": null, "variant": null,'
        ' "detectable": false, "benign_kind": "what_if", "benign_share": 1.0, "queries": 9}}'
    )
    assert read_truth(path) == {"a": BENIGN}
