"""The page's plots as inline SVG, the same bytes for the same figures."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from detector.evaluation.figures import Figures

COLOURS = {
    "extraction": "#b3432b",
    "inversion": "#7a4fa3",
    "membership": "#2f6fb0",
    "evasion": "#c08a1e",
    "harvesting": "#4b7f52",
}
BENIGN = "#8a8f98"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "querywatch",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}
WIDE, TALL = (8.0, 4.0), (8.0, 5.0)


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing.

    Attributes:
        name: Of its identifiers, unique on the page.
        title: What it shows.
        svg: Markup.
    """

    name: str
    title: str
    svg: str


def plots(figures: Figures) -> list[Plot]:
    """Return the drawings for which there are figures."""
    wanted = (
        ("found", "Share of attack streams found, by query", WIDE, _found, figures.curves.found),
        ("evidence", "Evidence over queries, client by client", TALL, _evidence,
         figures.curves.evidence),
        ("mixing", "Attacks found among benign queries", WIDE, _mixing, figures.mixing),
        ("benign", "False incidents by kind of benign client", TALL, _benign, figures.benign),
    )  # fmt: skip
    return [
        Plot(name, title, svg(name, size, partial(draw, figures)))
        for name, title, size, draw, there in wanted
        if there
    ]


def svg(name: str, size: tuple[float, float], draw: Callable[[Axes], None]) -> str:
    """Return what `draw` draws as SVG markup whose identifiers begin with the name."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
        out = StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    markup = out.getvalue()
    markup = markup[markup.index("<svg") :]
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", markup)


def _found(figures: Figures, axes: Axes) -> None:
    for name, shares in figures.curves.found.items():
        axes.plot(figures.curves.queries, shares, label=name, color=COLOURS.get(name), lw=2)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(xlabel="query of the client", ylabel="share found", ylim=(-0.02, 1.02))
    axes.legend(frameon=False, loc="upper left")


def _evidence(figures: Figures, axes: Axes) -> None:
    for trail in figures.curves.evidence:
        name = trail.attack_class or "benign"
        queries, evidence = zip(*trail.points, strict=True)
        colour = COLOURS.get(name, BENIGN)
        known = axes.get_legend_handles_labels()[1]
        label = None if name in known else name
        axes.plot(queries, evidence, color=colour, label=label, lw=1.4, marker=".", ms=4)
        if trail.alarm is not None:
            axes.axvline(trail.alarm, ymax=0.03, color=colour, lw=1.4)
    axes.set_xscale("log", base=2)
    axes.set_yscale("symlog", linthresh=10)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(xlabel="query of the client", ylabel="log evidence, best hypothesis")
    axes.legend(frameon=False, loc="upper left")


def _mixing(figures: Figures, axes: Axes) -> None:
    shares = [float(name) for name in figures.mixing]
    axes.plot(shares, [one.found for one in figures.mixing.values()], marker="o", lw=2,
              color=COLOURS["extraction"], label="found")  # fmt: skip
    axes.plot(shares, [one.right_class for one in figures.mixing.values()], marker="o", lw=2,
              color=COLOURS["membership"], label="under the right class")  # fmt: skip
    axes.set(xlabel="benign share of the client's queries", ylabel="share of streams",
             ylim=(-0.02, 1.02), xlim=(0, 1))  # fmt: skip
    axes.legend(frameon=False, loc="lower left")


def _benign(figures: Figures, axes: Axes) -> None:
    kinds = list(figures.benign)
    places = range(len(kinds))
    measured = [one.alarmed / one.clients for one in figures.benign.values()]
    bounds = [one.upper_bound for one in figures.benign.values()]
    axes.hlines(places, measured, bounds, color=BENIGN, lw=5, alpha=0.5, label="up to the bound")
    axes.plot(measured, places, "o", color=COLOURS["extraction"], label="measured")
    axes.axvline(1e-2, color=COLOURS["evasion"], lw=1, ls="--", label="bar for a kind")
    axes.set_yticks(places, kinds)
    axes.invert_yaxis()
    axes.set_xscale("symlog", linthresh=1e-3)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(xlabel="share of clients with a false incident, one-sided 95% bound", xlim=(-5e-5, 1))
    axes.legend(frameon=False, loc="lower right")
