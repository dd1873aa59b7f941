"""`querywatch evaluate` on a few streams, and on a model of the user's."""

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Cli

FEW = "wine-mlp-full,path_finding,regular"
SMALL = ("--split", "tuning", "--size", "small", "--no-baselines", "--workers", "1")
MODEL = """
import numpy as np

def predict(rows):
    score = 1 / (1 + np.exp(-(rows[:, 0] - rows[:, 1])))
    return np.stack([score, 1 - score], axis=1)

def scalar(rows):
    return 0
"""


class Model(BaseHTTPRequestHandler):
    """Answers by the sum of an instance's values."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        allowed = self.headers.get("Authorization") == "Bearer s3cret"
        labels = ["low" if sum(map(float, i.values())) < 1 else "high" for i in body["instances"]]
        answer = json.dumps({"predictions": labels}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server that answers so, on loopback: its host and port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def served() -> Iterator[str]:
    with serving(Model) as place:
        yield f"http://{place}/predict"


@pytest.fixture
def log(cli: Cli) -> str:
    rng = np.random.default_rng(0)
    with Path("own.jsonl").open("w") as file:
        for i in range(400):
            a, b, c = rng.normal(0.3, 0.2, 3).round(2).tolist()
            event = {
                "event_id": f"e{i}", "time": 1_789_000_000_000 + i, "client_id": f"c{i % 9}",
                "model_id": "mine", "input": {"fields": {"a": a, "b": b, "c": c}},
            }  # fmt: skip
            file.write(json.dumps(event) + "\n")
    return "own.jsonl"


@pytest.fixture
def model(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    Path("users_own_model.py").write_text(MODEL)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    yield "users_own_model"
    sys.modules.pop("users_own_model", None)


def test_it_prints_tables_and_writes_json_and_a_page(cli: Cli) -> None:
    files = ("--json", "build/out.json", "--html", "build/out.html")
    result = cli("evaluate", *SMALL, "--only", FEW, *files)
    assert result.code == 0
    assert result.err == ""
    assert "tree_path_finding" in result.out
    assert "bars met" in result.out
    assert max(map(len, result.out.splitlines())) <= 100
    document = json.loads(Path("build/out.json").read_text())
    assert document["split"] == "tuning"
    assert document["totals"]["attack_streams"] == 1
    assert document["only"] == FEW.split(",")
    assert Path("build/out.html").read_text().startswith("<!doctype html>")


def test_json_on_standard_output_stands_alone(cli: Cli) -> None:
    result = cli("evaluate", *SMALL, "--only", "wine-mlp-full,regular", "--json", "-")
    assert result.code == 0
    assert json.loads(result.out)["totals"]["benign_clients"] == 3


def test_a_model_of_the_user_s_is_attacked(cli: Cli, log: str, model: str) -> None:
    result = cli(
        "evaluate", "--model", f"{model}:predict", "--benign", log, "--no-baselines",
        "--only", "path_finding,regular", "--json", "own.json",
    )  # fmt: skip
    assert result.code == 0
    assert json.loads(Path("own.json").read_text())["split"] == "red_team"
    assert "tree_path_finding" in result.out


def test_models_of_a_table_take_the_place_of_the_split_s(cli: Cli) -> None:
    result = cli(
        "evaluate", *SMALL, "--table", "COUNT/medpar:died", "--only", "uniform,regular",
        "--no-baselines", "--json", "table.json",
    )  # fmt: skip
    assert result.code == 0
    document = json.loads(Path("table.json").read_text())
    assert document["split"] == "tables"
    assert list(document["deployments"]) == ["medpar-tree-label"]
    assert document["totals"]["benign_clients"] == 3


def test_a_model_behind_http_is_attacked(cli: Cli, log: str, served: str) -> None:
    Path("token").write_text("Bearer s3cret\n")
    result = cli(
        "evaluate", "--endpoint", served, "--header", "Authorization: @token", "--benign", log,
        "--no-baselines", "--only", "path_finding,regular",
    )  # fmt: skip
    assert result.code == 0
    assert "tree_path_finding" in result.out
    refused = cli("evaluate", "--endpoint", served, "--benign", log)
    assert (refused.code, refused.out) == (1, "")
    assert "status 401" in refused.err


class Wrong(BaseHTTPRequestHandler):
    """Answers as its path says."""

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        count = len(json.loads(self.rfile.read(length))["instances"])
        status, body, headers = 200, b"", {}
        match self.path.partition("?")[0]:
            case "/text":
                body = b"<html>\n sign \x1b[31m in</html>"
            case "/nothing":
                pass
            case "/list":
                body = b"[1, 2]"
            case "/other":
                body = b'{"outputs": []}'
            case "/number":
                body = b'{"predictions": 3}'
            case "/few":
                body = json.dumps({"predictions": ["a"] * (count - 1)}).encode()
            case "/deep":
                body = b"[" * 100_000
            case "/full":
                status, body = 503, b"overloaded"
            case "/moved":
                status, headers = 307, {"Location": "http://192.0.2.1/login?state=s3cret"}
            case "/zipped":
                body, headers = b"no gzip", {"Content-Encoding": "gzip"}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.path != "/slow":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/slow":
            self._drip()

    def _drip(self) -> None:
        """Send a byte now and then, which a limit for each wait alone never notices."""
        try:
            for _ in range(400):
                self.wfile.write(b" ")
                self.wfile.flush()
                threading.Event().wait(0.05)
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def wrong() -> Iterator[str]:
    with serving(Wrong) as place:
        yield f"http://user:s3cret@{place}"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/text", "not JSON: <html> sign \\x1b[31m in</html>"),
        ("/nothing", "not JSON: nothing"),
        ("/list", 'no JSON object with "predictions"'),
        ("/other", 'no JSON object with "predictions"'),
        ("/number", '"predictions" is not a list'),
        ("/few", "100 instances brought 99 predictions"),
        ("/deep", "not JSON"),
        ("/full?key=s3cret", "status 503: overloaded"),
        ("/moved", "status 307 sends on to http://192.0.2.1/login, which is not followed"),
        ("/zipped", "no answer"),
        ("/slow", "no whole answer in 1 s"),
    ],
)
def test_an_endpoint_that_answers_wrongly_is_one_line(
    cli: Cli, log: str, wrong: str, path: str, message: str
) -> None:
    """It names the place and the reason, and no secret."""
    limit = "1" if path == "/slow" else "60"
    result = cli("evaluate", "--endpoint", wrong + path, "--benign", log, "--timeout", limit)
    assert (result.code, result.out) == (1, "")
    assert len(result.err.splitlines()) == 1
    bare = wrong.replace("user:s3cret@", "") + path.partition("?")[0]
    assert f"endpoint {bare}: " in result.err
    assert message in result.err
    assert "s3cret" not in result.err


def test_an_endpoint_that_is_not_there_is_one_line(cli: Cli, log: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/predict"
        result = cli("evaluate", "--endpoint", url, "--benign", log, "--timeout", "0.2")
        assert f"endpoint {url}: no answer in 0.2 s" in result.err
    result = cli("evaluate", "--endpoint", url, "--benign", log)
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert f"endpoint {url}: no answer: " in result.err
    assert "refused" in result.err


def test_a_budget_that_ends_early_is_told(cli: Cli, log: str, model: str) -> None:
    result = cli(
        "evaluate", "--model", f"{model}:predict", "--benign", log, "--no-baselines",
        "--only", "regular,path_finding,uniform", "--budget", "13000",
    )  # fmt: skip
    assert result.code == 0
    assert "budget" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--only", "nonsense"), "nonsense"),
        (("--table", "COUNT/medpar:nope", "--workers", "1"), "nope"),
        (("--table", "nope.csv:a", "--table", "nope.csv:a"), "nope.csv"),
        (("--table", "a/b:c", "--model", "a:b", "--benign", "own.jsonl"), "--table"),
        (("--model", "a:b"), "--benign"),
        (("--benign", "own.jsonl"), "--model or --endpoint"),
        (("--model", "a:b", "--endpoint", "http://x", "--benign", "own.jsonl"), "exclude"),
        (("--endpoint", "ftp://x", "--benign", "gone.jsonl"), "--endpoint"),
        (("--endpoint", "http://", "--benign", "gone.jsonl"), "--endpoint"),
        (("--endpoint", "http:///predict", "--benign", "gone.jsonl"), "--endpoint"),
        (("--endpoint", "localhost:8080", "--benign", "gone.jsonl"), "--endpoint"),
        (("--endpoint", "http://x:70000/", "--benign", "gone.jsonl"), "--endpoint"),
        (("--endpoint", "http://x:web/", "--benign", "gone.jsonl"), "--endpoint"),
        (("--endpoint", "http://[::1/", "--benign", "gone.jsonl"), "--endpoint"),
        (("--endpoint", "http://x/\x7f", "--benign", "gone.jsonl"), "--endpoint"),
        (("--endpoint", "http://x y/", "--benign", "gone.jsonl"), "--endpoint"),
        (("--endpoint", "http://x", "--timeout", "0", "--benign", "gone.jsonl"), "--timeout"),
        (("--endpoint", "http://x", "--timeout", "nan", "--benign", "gone.jsonl"), "--timeout"),
        (("--endpoint", "http://x", "--header", "a b: c", "--benign", "gone.jsonl"), "NAME:VALUE"),
        (("--endpoint", "http://x", "--header", "a: b\nc", "--benign", "gone.jsonl"), "of a holds"),
        (("--model", "json:dumps", "--header", "a: b", "--benign", "own.jsonl"), "--header"),
        (("--model", "no_such_module:f", "--benign", "own.jsonl"), "no_such_module"),
        (("--endpoint", "http://x", "--header", "ab", "--benign", "own.jsonl"), "NAME:VALUE"),
        (("--endpoint", "http://x", "--header", "a:@gone", "--benign", "own.jsonl"), "gone"),
    ],
)
def test_a_usage_error_is_one_line(
    cli: Cli, log: str, arguments: tuple[str, ...], message: str
) -> None:
    result = cli("evaluate", "--split", "tuning", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert len(result.err.splitlines()) == 1


def test_without_the_extra_it_says_what_to_install(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "detector.evaluation.report.page", raising=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    result = cli("evaluate")
    assert (result.code, result.out) == (2, "")
    assert "jinja2 is not installed" in result.err
    assert "querywatch[evaluation]" in result.err


def test_a_wrong_shape_is_one_line(cli: Cli, log: str, model: str) -> None:
    result = cli("evaluate", "--model", f"{model}:scalar", "--benign", log)
    assert (result.code, result.out) == (1, "")
    assert "shape" in result.err
    assert len(result.err.splitlines()) == 1
