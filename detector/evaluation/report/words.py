"""Figures as texts, the same in the terminal and on the page."""

from detector.evaluation.figures import Bar


def percent(value: float | None) -> str:
    """Return a share with one decimal, never rounded up to 100%."""
    if value is None:
        return "-"
    text = f"{100 * value:.1f}%"
    return text if value == 1.0 or text != "100.0%" else "99.9%"


def rate(value: float) -> str:
    """Return a small rate with two significant digits."""
    return f"{value:.1e}"


def number(value: float | None) -> str:
    """Return a count or a median."""
    return "-" if value is None else f"{value:,.0f}"


def bar_figure(bar: Bar) -> tuple[str, str]:
    """Return a bar's target, with its direction, and its figure, in one notation."""
    sign = "≥" if bar.at_least else "≤"
    write = number if bar.target > 1 else rate if bar.target <= 0.01 else percent
    return f"{sign} {write(bar.target)}", "-" if bar.figure is None else write(bar.figure)


def bar_verdict(bar: Bar) -> str:
    """Return whether the bar is met."""
    return {True: "met", False: "missed", None: "no data"}[bar.met]
