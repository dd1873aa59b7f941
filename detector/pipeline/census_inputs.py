"""What inputs a log holds: in which forms, how wide, and what their fields are like."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from detector.events.model import Input
from detector.pipeline.census_fields import FieldCensus, FieldFacts, FieldKind, share
from detector.reference.grids import GRIDS

LISTED_FIELDS = 64
"""Fields described one by one; wider inputs are folded to as many columns anyway."""
CHUNK = 1_000


class InputForm(StrEnum):
    """In what form an input is logged."""

    FEATURES = "features"
    FIELDS = "fields"
    EMBEDDING = "embedding"
    FINGERPRINTS = "fingerprints"
    FINGERPRINT = "fingerprint"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class InputFacts:
    """All inputs of a model.

    Attributes:
        shares: Share of records by form; they sum to 1.
        usable: Share of records with features, fields or an embedding.
        present: The same with lists of fingerprints.
        smallest: Fewest values of an input, 0 without inputs.
        largest: Most values of an input.
        fields: Distinct fields of features and fields together.
        numbers: How many of them hold numbers.
        categories: How many hold categories.
        grids: How many of those with numbers keep to each step.
        gaps: Share of missing cells.
        listed: The first `LISTED_FIELDS` of them.
    """

    shares: dict[InputForm, float]
    usable: float
    present: float
    smallest: int
    largest: int
    fields: int
    numbers: int
    categories: int
    grids: dict[str, int]
    gaps: float
    listed: tuple[FieldFacts, ...]


def input_form(given: Input | None) -> tuple[InputForm, int]:
    """Return an input's form and how many values it holds."""
    if given is None:
        return InputForm.NONE, 0
    if given.features:
        return InputForm.FEATURES, len(given.features)
    if given.fields:
        return InputForm.FIELDS, len(given.fields)
    if given.embedding:
        return InputForm.EMBEDDING, len(given.embedding)
    prints = given.fingerprint
    if not prints:
        return InputForm.NONE, 0
    if isinstance(prints, str) or len(prints) == 1:
        return InputForm.FINGERPRINT, 1
    return InputForm.FINGERPRINTS, len(prints)


class InputCensus:
    """Counts of one model's inputs; memory grows with the number of fields only."""

    def __init__(self) -> None:
        self._forms: Counter[InputForm] = Counter()
        self._smallest = 0
        self._largest = 0
        self._fields = FieldCensus()

    @property
    def inputs(self) -> int:
        """Records with an input of any form."""
        return self._forms.total() - self._forms[InputForm.NONE]

    def add(self, inputs: Sequence[Input | None]) -> None:
        """Take the inputs of some records."""
        rows = []
        for given in inputs:
            form, width = input_form(given)
            self._forms[form] += 1
            if form is InputForm.NONE:
                continue
            self._largest = max(self._largest, width)
            self._smallest = min(self._smallest or width, width)
            if form in (InputForm.FEATURES, InputForm.FIELDS):
                rows.append(given)
        for start in range(0, len(rows), CHUNK):
            self._fields.add(rows[start : start + CHUNK])

    def facts(self) -> InputFacts:
        """Return what was counted."""
        records = self._forms.total()
        rows = self._forms[InputForm.FEATURES] + self._forms[InputForm.FIELDS]
        usable = rows + self._forms[InputForm.EMBEDDING]
        fields = self._fields.facts(rows)
        kinds = Counter(item.kind for item in fields)
        return InputFacts(
            shares={form: share(self._forms[form], records) for form in InputForm},
            usable=share(usable, records),
            present=share(usable + self._forms[InputForm.FINGERPRINTS], records),
            smallest=self._smallest,
            largest=self._largest,
            fields=len(fields),
            numbers=kinds[FieldKind.NUMBER],
            categories=kinds[FieldKind.CATEGORY],
            grids=_steps(fields),
            gaps=share(sum(item.missing for item in fields), len(fields)),
            listed=tuple(fields[:LISTED_FIELDS]),
        )


def _steps(fields: Sequence[FieldFacts]) -> dict[str, int]:
    """Return how many fields of numbers keep to each step, coarsest first."""
    kept = Counter(item.grid for item in fields if item.kind is FieldKind.NUMBER)
    return {f"{step:g}": kept[step] for step in GRIDS if kept[step]}
