"""Input that cannot be used ends a command with a reason, before the work and with no traceback."""

import getpass
from contextlib import closing
from pathlib import Path

import pytest

from detector.events.model import ClientKey
from detector.pipeline.ports import Store
from detector.pipeline.triage import Triage, TriagePolicy
from detector.storage.store import open_store
from tests.cli.conftest import Cli
from tests.fakes.clock import SetClock
from tests.fakes.database import migrated_url
from tests.fakes.findings import finding

NOT_UTF_8 = "\udcff"
"""What Python makes of a byte of the command line that is not UTF-8."""


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = migrated_url(tmp_path)
    monkeypatch.setenv("QUERYWATCH_DATABASE_URL", url)
    return url


def open_incident(store: Store, client: ClientKey) -> None:
    told = finding(client=client)
    with closing(store), store.transaction() as transaction:
        Triage(TriagePolicy(), SetClock()).apply(transaction, [told])


@pytest.mark.parametrize("command", [("incidents", "list"), ("dlq", "list"), ("serve",)])
def test_a_file_that_is_no_database(cli: Cli, command: tuple[str, ...]) -> None:
    Path("text.db").write_text("this is no database, and long enough to be read as one " * 3)
    result = cli(*command, "--database-url", "sqlite:///text.db")
    assert result.code == 1
    assert result.err.splitlines()[-1] == (
        "querywatch: the database is unwell: file is not a database"
    )


@pytest.mark.parametrize("command", [("incidents", "list"), ("migrate",)])
def test_a_database_url_whose_port_is_none(cli: Cli, command: tuple[str, ...]) -> None:
    result = cli(*command, "--database-url", "postgresql://host:abc/name")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "--database-url: not of the form" in result.err


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        (("dlq", "list"), "--since", "0001-01-01T00:00+14:00"),
        (("dlq", "list"), "--since", "tomorrow"),
        (("dlq", "list"), "--partition", str(2**31)),
        (("dlq", "list"), "--partition", "-1"),
        (("dlq", "list"), "--reason", NOT_UTF_8),
        (("dlq", "list"), "--topic", NOT_UTF_8),
        (("dlq", "drop", "--because", "noise"), "--topic", NOT_UTF_8),
        (("dlq", "drop"), "--because", NOT_UTF_8),
        (("dlq", "drop", "t/0/0", "--because", "noise"), "--by", NOT_UTF_8),
        (("reference", "show"), "--model", NOT_UTF_8),
        (("reference", "show", "--model", "m"), "--tenant", NOT_UTF_8),
        (("reference", "activate", "--model", "m"), "--version", str(10**20)),
        (("reference", "activate", "--model", "m"), "--version", "0"),
    ],
)
def test_a_value_that_no_database_takes(
    cli: Cli, url: str, command: tuple[str, ...], option: str, value: str
) -> None:
    result = cli(*command, option, value)
    assert (result.code, result.out) == (2, "")
    assert option in result.err


def test_a_place_that_is_none_is_named(cli: Cli, url: str) -> None:
    for place in (NOT_UTF_8, f"{NOT_UTF_8}/0/0"):
        result = cli("dlq", "show", place)
        assert (result.code, result.out) == (2, "")
        assert "UTF-8" in result.err


def test_a_user_without_a_name_has_to_give_one(
    cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that runs under a number."""

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    Path("log.jsonl").write_text("nonsense\n")
    assert cli("replay", "log.jsonl").code == 1
    monkeypatch.setattr(getpass, "getuser", nobody)
    drop = ("dlq", "drop", "--because", "noise", "--yes")
    result = cli(*drop)
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "--by" in result.err
    assert cli(*drop, "--by", "ana").out == "1 dropped.\n"


@pytest.mark.parametrize("command", [("replay",), ("inspect",), ("evaluate", "--split", "demo")])
@pytest.mark.parametrize("target", ["file/out.json", "."])
def test_a_result_that_could_not_be_written_is_refused_before_the_work(
    cli: Cli, command: tuple[str, ...], target: str
) -> None:
    """The log does not exist, which nobody has found out yet."""
    Path("file").touch()
    logs = () if command[0] == "evaluate" else ("gone.jsonl",)
    result = cli(*command, *logs, "--json", target)
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1)
    assert f"--json: {target}" in result.err


def test_what_a_client_calls_itself_commands_no_terminal(cli: Cli, url: str) -> None:
    """Ids come from the log, so whoever is suspected chooses them."""
    open_incident(open_store(url), ClientKey("", "m\x1b[8m", "k\x1b[2J"))
    listed = cli("incidents", "list").out
    key = listed.split()[-1]
    for text in (listed, cli("incidents", "show", key).out):
        assert "\x1b" not in text
        assert "k\\x1b[2J" in text
        assert "m\\x1b[8m" in text
