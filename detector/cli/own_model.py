"""The user's own model on the command line: what is asked for, and the attacks on it."""

import math
import re
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.cli.console import errors, progress
from detector.config import Settings
from detector.events.model import PredictionEvent
from detector.kit.errors import ConfigurationError
from detector.kit.web import is_web_url

if TYPE_CHECKING:
    from detector.evaluation.datasets import Dataset
    from detector.evaluation.outcome import Outcome
    from detector.evaluation.redteam import Orders

_HEADER_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
"""A token, as RFC 9110 (5.6.2) has it."""


@dataclass(frozen=True, slots=True)
class OwnModelOptions:
    """The options as given.

    Attributes:
        model: `module:function`, or None.
        endpoint: URL, or None.
        benign: Log files of ordinary traffic.
        budget: Rows that may be asked in all.
        headers: `NAME:VALUE`, for the endpoint.
        timeout: Seconds for each request.
    """

    model: str | None
    endpoint: str | None
    benign: tuple[str, ...]
    budget: int
    headers: tuple[str, ...]
    timeout: float

    @property
    def wanted(self) -> bool:
        """Whether a model of the user's is meant at all."""
        return self.model is not None or self.endpoint is not None

    def check(self) -> None:
        """Raise `ConfigurationError` for options that do not go together."""
        if self.model is not None and self.endpoint is not None:
            raise ConfigurationError("--model and --endpoint exclude each other")
        if self.wanted != bool(self.benign):
            raise ConfigurationError("--benign LOG goes together with --model or --endpoint")
        if self.headers and self.endpoint is None:
            raise ConfigurationError("--header goes together with --endpoint")
        if self.endpoint is not None:
            _require_url(self.endpoint)
        if not 0 < self.timeout < math.inf:
            raise ConfigurationError("--timeout: must be a number of seconds above 0")
        self.header_fields()

    def header_fields(self) -> dict[str, str]:
        """Return the headers by name; raises `ConfigurationError`, which shows no value."""
        return dict(map(_header, self.headers))


def attack_own_model(settings: Settings, own: OwnModelOptions, orders: "Orders") -> "list[Outcome]":
    """Learn fields and population from the log, attack the model, and return the outcomes."""
    from detector import bootstrap_evaluation
    from detector.evaluation.own_traffic import own_dataset
    from detector.evaluation.redteam import red_team

    dataset = own_dataset(_events(own.benign))
    predict = _predict(own, dataset)
    with closing(predict) if own.endpoint else nullcontext():
        observer = partial(bootstrap_evaluation.observer, settings)
        outcomes, whole = red_team(dataset, predict, orders, observer)
    if not whole:
        errors().print(
            f"The budget of {orders.budget:,} queries was spent before all streams had run;"
            " the report is of those that had.",
            style="yellow",
        )
    return outcomes


def _predict(own: OwnModelOptions, dataset: "Dataset") -> Any:
    from detector.evaluation.endpoint import Endpoint
    from detector.evaluation.own_model import callable_of

    if own.model is not None:
        return callable_of(own.model)
    return Endpoint(own.endpoint or "", dataset, own.header_fields(), own.timeout)


def _require_url(url: str) -> None:
    """Raise `ConfigurationError` unless something can be posted there."""
    import httpx

    try:
        httpx.URL(url)
        usable = is_web_url(url) and not any(map(str.isspace, url))
    except httpx.InvalidURL:
        usable = False
    if not usable:
        raise ConfigurationError(
            "--endpoint: must be an absolute http or https URL, its port from 1 to 65535"
        )


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not _HEADER_NAME.fullmatch(name) or not colon:
        raise ConfigurationError("--header: must be of the form NAME:VALUE")
    if value.startswith("@"):
        try:
            value = Path(value[1:]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"--header: {value[1:]} cannot be read") from error
    if not value.isprintable():
        raise ConfigurationError(f"--header: the value of {name} holds what no header may hold")
    return name, value


def _events(logs: tuple[str, ...]) -> Iterator[PredictionEvent]:
    from detector import bootstrap

    with progress("Reading the log") as advance:
        for decoded in bootstrap.decoded_files(logs, advance):
            for item in decoded.events:
                yield item.event
