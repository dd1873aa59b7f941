"""`querywatch consume`, `serve` and `run`: the long-running processes."""

from typing import Annotated

import typer

from detector.cli.options import with_settings
from detector.config import Settings

Migrate = Annotated[
    bool,
    typer.Option("--migrate", help="Bring the schema up to date first (SQLite: always done)."),
]


@with_settings("database", "kafka", "stream", "delivery", "detection")
def consume(settings: Settings, migrate: Migrate = False) -> None:
    """Read the topic and keep incidents, until SIGTERM or Ctrl-C."""
    from detector.cli import processes

    processes.work(settings, reading=True, serving=False, migrate=migrate)


@with_settings("database", "api", "delivery")
def serve(settings: Settings, migrate: Migrate = False) -> None:
    """Serve the API and deliver notifications, until SIGTERM or Ctrl-C."""
    from detector.cli import processes

    processes.work(settings, reading=False, serving=True, migrate=migrate)


@with_settings("database", "kafka", "stream", "api", "delivery", "detection")
def run(settings: Settings, migrate: Migrate = False) -> None:
    """Consume, serve and deliver in one process, until SIGTERM or Ctrl-C."""
    from detector.cli import processes

    processes.work(settings, reading=True, serving=True, migrate=migrate)
