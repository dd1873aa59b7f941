"""The user's own model on the command line: what is asked for, and the attacks on it."""

from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from detector.cli.console import errors, progress
from detector.config import Settings
from detector.events.model import PredictionEvent
from detector.kit.errors import ConfigurationError

if TYPE_CHECKING:
    from detector.evaluation.datasets import Dataset
    from detector.evaluation.outcome import Outcome
    from detector.evaluation.redteam import Orders


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
        if self.endpoint is not None and urlsplit(self.endpoint).scheme not in ("http", "https"):
            raise ConfigurationError("--endpoint: must be an absolute http or https URL")


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
    headers = dict(map(_header, own.headers))
    return Endpoint(own.endpoint or "", dataset, headers, own.timeout)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not name.strip() or not colon:
        raise ConfigurationError("--header: must be of the form NAME:VALUE")
    value = value.strip()
    if value.startswith("@"):
        try:
            value = Path(value[1:]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"--header: {value[1:]} cannot be read") from error
    return name.strip(), value


def _events(logs: tuple[str, ...]) -> Iterator[PredictionEvent]:
    from detector import bootstrap

    with progress("Reading the log") as advance:
        for decoded in bootstrap.decoded_files(logs, advance):
            for item in decoded.events:
                yield item.event
