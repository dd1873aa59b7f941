"""The command `querywatch`: its groups, and how a run ends.

Exit codes: 0 done, 1 it failed while running, 2 what was given is wrong (a usage or configuration
error, or a name of what does not exist), 130 interrupted.
An expected error is one line on standard error, never a traceback.
"""

import os
import sys
from typing import Annotated

import typer

from detector import __version__
from detector.cli import (
    demo,
    dlq,
    evaluate,
    incidents,
    inspect,
    migrate,
    produce,
    reference,
    rekey,
    replay,
    service,
)
from detector.cli.console import errors
from detector.cli.render import printable
from detector.kit.errors import ConfigurationError, NotFoundError, QuerywatchError

_SQLALCHEMY_HINT = "(Background on this error at"
FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="querywatch",
    help="Detects model extraction, inversion and membership inference in the access log of a"
    " prediction API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("replay")(replay.replay)
app.command("inspect")(inspect.inspect)
app.command("evaluate")(evaluate.evaluate)
app.command("consume")(service.consume)
app.command("serve")(service.serve)
app.command("run")(service.run)
app.command("produce")(produce.produce)
app.command("rekey")(rekey.rekey)
app.command("migrate")(migrate.migrate)
app.add_typer(reference.app, name="reference")
app.add_typer(incidents.app, name="incidents")
app.add_typer(dlq.app, name="dlq")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"querywatch {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        app(prog_name="querywatch")
    except (ConfigurationError, NotFoundError) as error:
        _end(UNUSABLE, error)
    except BrokenPipeError:
        # The reader has gone; nothing may be written at interpreter exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(FAILED) from None
    except (QuerywatchError, OSError) as error:
        _end(FAILED, error)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


def _end(code: int, error: Exception) -> None:
    line = printable(" ".join(str(error).partition(_SQLALCHEMY_HINT)[0].split()))
    errors().print(f"querywatch: {line}", style="red", markup=False, emoji=False, soft_wrap=True)
    raise SystemExit(code) from None
