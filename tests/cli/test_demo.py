"""`querywatch demo` on the log that ships with the package."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from rich.console import Console

from detector.cli import demo
from detector.config import Settings
from tests.cli.conftest import Cli


def test_demo_shows_incidents_and_says_how_everybody_fared(cli: Cli) -> None:
    result = cli("demo")
    assert result.code == 0
    assert result.err == ""
    assert max(map(len, result.out.splitlines())) <= 100
    for attack_class in ("extraction", "inversion", "membership"):
        assert re.search(rf"╭─ +\w+ +{attack_class} · ", result.out), attack_class
    figures = re.search(
        r"(\d+) of (\d+) attack clients found, (\d+) under the right class; "
        r"(\d+) of (\d+) benign clients",
        " ".join(result.out.split()),
    )
    assert figures is not None
    found, attackers, named, alarmed, benign = map(int, figures.groups())
    assert found >= 0.9 * attackers
    assert named >= 0.7 * attackers
    assert alarmed <= benign / 200
    assert Path("querywatch-demo.db").is_file()
    listed = cli("incidents", "list", "--database-url", "sqlite:///querywatch-demo.db")
    assert listed.code == 0
    assert "extraction" in listed.out


def test_demo_begins_anew(cli: Cli) -> None:
    Path("querywatch-demo.db").write_text("left over from something else")
    assert cli("demo", "--show", "2").code == 0


def test_what_to_type_next_is_what_can_be_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a checkout the command is on nobody's path."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "argv", [".venv/bin/querywatch", "demo"])
    demo._print_next(Console(width=100), Settings(database_url=demo.DATABASE_URL))
    assert "  .venv/bin/querywatch serve --database-url sqlite:///quer" in capsys.readouterr().out
