"""The report as the JSON of `evaluate --json`; its shape is a contract."""

from typing import Any

import msgspec

from detector.evaluation.figures import Report


def report_document(report: Report) -> dict[str, Any]:
    """Return plain JSON values: the figures at the top level, beside the run's facts."""
    document: dict[str, Any] = msgspec.to_builtins(report)
    figures = document.pop("figures")
    for technique in (*figures["techniques"].values(), *figures["variants"].values()):
        technique["class"] = technique.pop("attack_class")
    for trail in figures["curves"]["evidence"]:
        trail["class"] = trail.pop("attack_class")
    return {**document, **figures}
