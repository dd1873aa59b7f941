"""One client before the kernel, query by query."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from detector.events.batch import MAX_CLASSES, category_code
from detector.features.lens import make_lens, make_room
from detector.features.observation import Observation, Probe, decode
from detector.features.observe import Lens, observe
from detector.features.state import ClientTable, Stat, Trace
from detector.features.view import RowView
from detector.reference.grids import slacks

Cells = Sequence[float] | NDArray[np.floating]
GAP = float("nan")
CAR, HOUSE = category_code("car"), category_code("house")


def lens(
    width: int,
    near: float = 0.5,
    apart: float = np.inf,
    low_margin: float = 0.1,
    grid: Sequence[float] = (),
    gridded: bool = False,
    ends: tuple[float, float, float, float] = (-np.inf, np.inf, -np.inf, np.inf),
) -> Lens:
    """What the kernel knows of a model whose fields are in scaled units already."""
    steps = np.array(grid, dtype=float) if grid else np.zeros(width)
    return Lens(
        calibrated=1,
        gridded=int(gridded),
        rounded=0.0,
        near=near,
        typical=3.0 * near,
        apart=apart,
        low_margin=low_margin,
        scale=np.ones(width),
        span=np.ones(width),
        grid=steps,
        origin=np.zeros(width),
        slack=slacks(steps, np.zeros(width)),
        lattice=np.zeros(width),
        missing=np.zeros(width),
        ends=np.tile(ends, (width, 1)),
        cells=np.tile([-1.0, 1.0], (width, 1)),
        coarse=np.tile(np.array([-1.0, 1.0], dtype=np.float32), (width, 1)),
        room=make_room(),
    )


def uncalibrated(width: int) -> Lens:
    """What the kernel knows of a model without a reference."""
    return make_lens(None, width)


class Watcher:
    """Feeds one client's queries; keeps what the kernel said of each."""

    def __init__(self, view: Lens, row: int = 0) -> None:
        self.lens = view
        self.row = row
        self.table = ClientTable(len(view.scale), 4)
        self.codes: list[int] = []

    def ask(
        self,
        cells: Cells | None,
        label: int = 0,
        scores: Sequence[float] = (),
        p_value: float = 0.5,
        time_ms: int = 0,
        broken: int = 0,
    ) -> Observation:
        """Show one query."""
        width = len(self.lens.scale)
        given = np.full(width, np.nan) if cells is None else np.array(cells, dtype=np.float64)
        known = np.full(MAX_CLASSES, np.nan)
        known[: len(scores)] = scores
        best = sorted(scores)[::-1]
        margin = best[0] - best[1] if len(best) > 1 else np.nan
        code = observe(
            self.table.row(self.row), given.astype(np.float32), given, cells is not None,
            np.int64(label), known, np.float64(margin), np.int64(time_ms), np.float64(p_value),
            np.int64(broken), self.lens,
        )  # fmt: skip
        self.codes.append(code)
        return decode(code)

    def ask_all(self, queries: Iterable[Cells]) -> list[Probe]:
        """Show many; returns how each was seen."""
        return [self.ask(cells).probe for cells in queries]

    def stat(self, stat: Stat) -> float:
        """One statistic of the client."""
        return RowView(self.table, self.row).stat(stat)

    def trace(self, column: Trace) -> float:
        """One column of the picture of the client's conspicuous queries."""
        return RowView(self.table, self.row).traces[column]
