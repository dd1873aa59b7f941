"""How an incident reads."""

from io import StringIO

import pytest
from rich.console import Console

from detector.cli.render import incident_panel
from detector.incidents.aggregate import IncidentPolicy, open_incident
from detector.scoring.finding import Evidence, LogRange
from tests.fakes.findings import EVENT_TIME, finding


def shown(*ranges: LogRange) -> str:
    told = finding(evidence=(Evidence("swept", "one field changes", {}, ranges),))
    console = Console(width=100, file=StringIO(), record=True)
    console.print(incident_panel(open_incident(told, IncidentPolicy(), EVENT_TIME).incident))
    return " ".join(console.export_text().replace("│", " ").split())


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([LogRange("log", 0, 7821, 7821)], "in the log: log/0 offset 7821 "),
        ([LogRange("/var/log/api/log", 0, 5, 1900)], "in the log: log/0 offsets 5 to 1900 "),
        (
            [LogRange("log", 0, 1, 1), LogRange("log", 0, 3, 40), LogRange("log", 2, 7, 7)],
            "in the log: log/0 offsets 1, 3 to 40; log/2 offset 7 ",
        ),
    ],
)
def test_each_log_is_named_once_with_its_offsets(ranges: list[LogRange], expected: str) -> None:
    assert f"one field changes {expected}" in shown(*ranges)
