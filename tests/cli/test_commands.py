"""`migrate`, `reference` and `incidents` against a real database file, and how commands end."""

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from array import array
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from detector import __version__
from tests.cli.conftest import Cli
from tests.logs import MODEL, THIEF


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"querywatch {__version__}\n"


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("demo",),
        ("replay",),
        ("inspect",),
        ("evaluate",),
        ("consume",),
        ("serve",),
        ("run",),
        ("produce",),
        ("rekey",),
        ("migrate",),
        ("reference", "build"),
        ("reference", "list"),
        ("reference", "show"),
        ("reference", "activate"),
        ("reference", "refresh"),
        ("dlq", "list"),
        ("dlq", "show"),
        ("dlq", "replay"),
        ("dlq", "drop"),
        ("incidents", "list"),
        ("incidents", "show"),
        ("incidents", "export"),
    ],
)
def test_every_command_explains_itself(cli: Cli, command: tuple[str, ...]) -> None:
    result = cli(*command, "--help")
    assert result.code == 0
    assert "Usage: querywatch" in result.out


def test_unknown_option_is_a_usage_error(cli: Cli) -> None:
    result = cli("replay", "x.jsonl", "--databse-url", "sqlite://")
    assert result.code == 2
    assert "--databse-url" in result.err
    assert "Traceback" not in result.err


def test_an_error_is_printed_as_it_is(cli: Cli) -> None:
    result = cli("replay", "[red]:warning:.jsonl")
    assert result.code != 0
    assert "[red]:warning:.jsonl" in result.err


def test_migrate_up_check_and_down(cli: Cli) -> None:
    missing = cli("migrate", "--check")
    assert missing.code == 2
    assert "there is no file querywatch.db" in missing.err
    assert not Path("querywatch.db").exists()
    assert cli("migrate").code == 0
    assert cli("migrate", "--check").code == 0
    refused = cli("migrate", "--revision", "base")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert cli("migrate", "--check").code == 0
    assert cli("migrate", "--revision", "base", "--yes").code == 0
    behind = cli("migrate", "--check")
    assert behind.code == 2
    assert "run `querywatch migrate`" in behind.err


def test_unknown_revision_is_one_line(cli: Cli) -> None:
    result = cli("migrate", "--revision", "nonsense")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "there are base, 0001, " in result.err


def test_a_database_of_a_newer_version_is_told_apart(cli: Cli) -> None:
    assert cli("migrate").code == 0
    with closing(sqlite3.connect("querywatch.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    for command in (("migrate",), ("migrate", "--check"), ("incidents", "list"), ("serve",)):
        result = cli(*command)
        assert result.code == 2
        assert "written by a newer querywatch" in result.err


def test_a_migration_that_nobody_asked_for_is_told(cli: Cli) -> None:
    assert cli("migrate", "--revision", "0003").code == 0
    Path("log.jsonl").write_text("nonsense\n")
    told = cli("replay", "log.jsonl", "--database-url", "sqlite:///querywatch.db").err
    assert "database querywatch.db: migrated from 0003 to" in told
    assert (
        "created, at revision"
        in cli("migrate", "--database-url", "sqlite:///new.db", "--log-level", "info").err
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("QUERYWATCH_DATABSE_URL", "; is QUERYWATCH_DATABASE_URL meant?"),
        ("QUERYWATCH_UNHEARD_OF", ""),
    ],
)
def test_a_misspelt_variable_is_told(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "x")
    monkeypatch.setenv("QUERYWATCH_SERVICE_HOST", "10.0.0.1")
    warnings = cli("migrate").err.splitlines()
    assert [line.partition(": ")[2] for line in warnings] == [f"{name} is no setting{meant}"]


def test_help_says_the_defaults_of_settings(cli: Cli) -> None:
    told = " ".join(cli("serve", "--help").out.replace("│", " ").split())
    assert "[QUERYWATCH_PORT; default 8080]" in told


def test_a_reference_that_is_there_already_is_unchanged(cli: Cli, benign_log: Path) -> None:
    build = ("reference", "build", benign_log, "--model", MODEL)
    assert "unchanged" not in cli(*build).out
    assert "clients, unchanged, active." in cli(*build, "--no-activate").out


def test_a_database_that_does_not_answer_is_a_failure(cli: Cli) -> None:
    url = "postgresql+psycopg://user:s3cret@127.0.0.1:1/db"
    for command in (("migrate",), ("incidents", "list"), ("serve",)):
        result = cli(*command, "--database-url", url)
        assert result.code == 1
        assert "querywatch: the database is unwell" in result.err
        assert "s3cret" not in result.err
        assert "Traceback" not in result.err


def test_references_are_built_listed_shown_and_activated(
    cli: Cli, benign_log: Path, attacked_log: Path
) -> None:
    for log in (benign_log, attacked_log):
        assert cli("reference", "build", log, "--model", MODEL).code == 0
    versions = {
        line.split()[1]: line.split()[2]
        for line in cli("reference", "list").out.splitlines()
        if line.strip().startswith(MODEL)
    }
    assert versions == {"2": "active", "1": "inactive"}
    assert cli("reference", "activate", "--model", MODEL, "--version", "1").code == 0
    shown = cli("reference", "show", "--model", MODEL).out
    assert "60" in shown.split()
    absent = cli("reference", "activate", "--model", MODEL, "--version", "9")
    assert absent.code == 2
    assert "has no reference version 9" in absent.err


def test_incidents_are_listed_filtered_and_shown(cli: Cli, attacked_log: Path) -> None:
    assert cli("replay", attacked_log, "--database-url", "sqlite:///querywatch.db").code == 0
    assert THIEF in cli("incidents", "list").out
    assert THIEF not in cli("incidents", "list", "--class", "inversion").out
    [incident] = [
        item for item in json.loads(cli("incidents", "export").out) if item["client_id"] == THIEF
    ]
    shown = cli("incidents", "show", incident["incident_id"][:8])
    assert shown.code == 0
    for word in ("severity", "timeline", "opened", "in the log", THIEF):
        assert word in shown.out
    unknown = cli("incidents", "show", "0000-nothing")
    assert unknown.code == 2
    assert "there is no incident" in unknown.err


@pytest.mark.parametrize("command", ["serve", "run"])
def test_open_address_needs_a_key(cli: Cli, command: str) -> None:
    result = cli(command, "--host", "192.0.2.1")
    assert result.code == 2
    assert "QUERYWATCH_API_KEY" in result.err
    assert not Path("querywatch.db").exists()


def test_broken_pipe_ends_quietly(cli: Cli, attacked_log: Path) -> None:
    assert cli("replay", attacked_log, "--database-url", "sqlite:///querywatch.db").code == 0
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-c", "from detector.cli.main import main; main()", "incidents", "export"],
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert process.returncode == 1
    assert process.stderr == b""


def wait_until_read(pipe: int) -> None:
    """Wait until the other end of the pipe has taken everything, so that it is at work."""
    waiting, deadline = array("i", [1]), time.monotonic() + 60
    while waiting[0]:
        assert time.monotonic() < deadline, "nothing was read"
        time.sleep(0.1)
        fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    time.sleep(1)


def test_interrupt_ends_quietly(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", "from detector.cli.main import main; main()", "replay", "-"],
        stdin=reading,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        # A shell starts background jobs with interrupts ignored, and children inherit that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    os.close(reading)
    try:
        os.write(writing, b"{}\n" * 10)
        wait_until_read(writing)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        os.close(writing)
        process.kill()
    assert process.returncode == 130
    assert b"Traceback" not in err
