"""The same report in three forms: JSON by its schema, tables in a terminal, one page."""

import json
import re
from collections import Counter
from functools import partial
from html.parser import HTMLParser
from importlib.resources import files
from io import StringIO
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from detector import bootstrap_evaluation
from detector.cli.document import to_json
from detector.config import Settings
from detector.evaluation.bars import bars_of
from detector.evaluation.document import report_document
from detector.evaluation.figures import Bar, Report
from detector.evaluation.report import terminal
from detector.evaluation.report.page import page
from detector.evaluation.report.tables import Tone, bar_sheet, sheets
from detector.evaluation.report.words import bar_figure, percent
from detector.evaluation.run import Options, evaluate
from detector.evaluation.splits import Split
from detector.evaluation.summary import summarise
from detector.evaluation.workload import SMALL
from tests.evaluation.outcomes import BENIGN, PURE, false_alarm, found, mixed

ROOT = files("detector._schemas") / "evaluation"
SCHEMA: dict[str, Any] = json.loads((ROOT / "v1.schema.json").read_bytes())
EXAMPLES = sorted((ROOT / "examples").iterdir(), key=lambda path: path.name)
VOID = {"meta", "br", "hr", "img", "link", "input"}


def report_of(*outcomes: Any) -> Report:
    figures = summarise(outcomes, {"32": 4000})
    return Report("tuning", "small", (), 0, 1.5, figures, bars_of(figures))


@pytest.fixture(scope="module")
def real() -> Report:
    """A report of a small run of the product itself."""
    only = ("wine-mlp-full", "path_finding", "noise_distance", "roster", "regular", "retry")
    options = Options(Split.TUNING, SMALL, only, workers=1)
    figures = summarise(
        evaluate(options, partial(bootstrap_evaluation.observer, Settings())), {"32": 4000}
    )
    return Report("tuning", "small", only, 0, 9.0, figures, bars_of(figures))


@pytest.fixture(scope="module")
def document(real: Report) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(to_json(report_document(real)))
    return read


class Page(HTMLParser):
    """Checks that elements are closed in order, and notes identifiers and references."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.tags: Counter[str] = Counter()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if name == "id":
                self.ids[value or ""] += 1
            if name in ("href", "src", "xlink:href"):
                self.links.append(value or "")


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_valid(example: Any) -> None:
    Draft202012Validator(SCHEMA).validate(json.loads(example.read_bytes()))


def test_a_real_run_is_valid(document: dict[str, Any]) -> None:
    Draft202012Validator(SCHEMA).validate(document)


def test_a_run_of_nothing_is_valid() -> None:
    Draft202012Validator(SCHEMA).validate(json.loads(to_json(report_document(report_of()))))


def test_the_json_keeps_its_contract(document: dict[str, Any]) -> None:
    totals = {
        "attack_streams", "found", "right_class", "median_query", "benign_clients",
        "false_clients", "upper_bound",
    }  # fmt: skip
    keys = {"split", "totals", "techniques", "mixing", "benign", "baselines", "fidelity"}
    assert keys | {"state_bytes"} <= document.keys()
    assert totals <= document["totals"].keys()
    assert all(totals <= one.keys() for one in document["baselines"].values())
    columns = {"class", "streams", "found", "right_class", "median_query", "budget"}
    assert all(columns <= one.keys() for one in document["techniques"].values())
    assert document["techniques"]["roster"]["class"] == "membership"
    assert set(document["mixing"]) == {"0.05", "0.1", "0.25", "0.5", "0.75", "0.9"}


def test_the_terminal_shows_every_table_within_a_hundred_columns(real: Report) -> None:
    console = Console(file=StringIO(), width=100, highlight=False)
    terminal.show(console, real)
    out = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, out.splitlines())) <= 100
    for sheet in sheets(real):
        assert sheet.title in out
        assert all(row.cells[0] in out for row in sheet.rows)


def test_missed_bars_strike_the_reader() -> None:
    report = report_of(found(9), PURE, BENIGN, false_alarm("retry"), mixed(0.5, None))
    rows = {row.cells[0]: row for row in bar_sheet(report.bars).rows}
    assert rows["attack streams found"].tone is Tone.BAD
    assert rows["attack streams found"].cells[1:] == ("≥ 99.0%", "50.0%", "missed")
    assert rows["found at 90% benign queries"].cells[-1] == "no data"
    assert "missed" in page(report)


def test_a_share_is_never_rounded_up_to_all() -> None:
    assert percent(0.99999) == "99.9%"
    assert percent(1.0) == "100.0%"
    assert bar_figure(Bar("rate", 1e-3, False, 2.5e-4, True)) == ("≤ 1.0e-03", "2.5e-04")


def test_the_page_is_whole_and_needs_nothing_else(real: Report) -> None:
    text = page(real)
    seen = Page(text)
    assert seen.tags["svg"] == 4
    assert max(seen.ids.values()) == 1
    assert all(link.startswith("#") and link[1:] in seen.ids for link in seen.links)
    assert not re.search(r"""(src=|@import|url\(["']?https?:)""", text)


def test_the_page_shows_the_tables_of_the_terminal(real: Report) -> None:
    text = page(real)
    for sheet in sheets(real):
        assert f"<h2>{sheet.title}</h2>" in text
    assert "tree_path_finding" in text


def test_the_page_depends_on_the_figures_alone(real: Report) -> None:
    assert page(real) == page(real)


def test_names_cannot_become_markup() -> None:
    report = report_of(false_alarm("<script>alert(1)</script>"), found(9))
    assert "<script>" not in page(report)


def test_a_page_of_nothing_has_no_plots() -> None:
    assert Page(page(report_of())).tags["svg"] == 0
