"""`querywatch rekey`: a topic copied so that all events of a client meet in one partition."""

from typing import Annotated

import typer

from detector.cli.options import with_settings
from detector.config import Settings
from detector.kit.errors import ConfigurationError


@with_settings("kafka", without=("kafka_topic", "kafka_client", "kafka_unkeyed"))
def rekey(
    settings: Settings,
    source: Annotated[str, typer.Option("--from", metavar="TOPIC", help="What to copy.")],
    target: Annotated[str, typer.Option("--to", metavar="TOPIC", help="Where to; must exist.")],
    metrics: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Serve Prometheus metrics there."),
    ] = None,
) -> None:
    """Copy a topic keyed by client, until SIGTERM or Ctrl-C; a restart goes on where it stood."""
    if source == target:
        raise ConfigurationError("--from and --to are the same topic")
    from detector import bootstrap_copies
    from detector.cli.supervise import Part, supervise

    work = bootstrap_copies.rekeying(settings, source, target, _address(metrics))
    supervise([Part("rekey", work.run, work.stop.set)], work.stop)


def _address(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ConfigurationError(f"--metrics: {text} is not of the form HOST:PORT")
    return host.strip("[]"), int(port)
