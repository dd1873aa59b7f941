"""The reference itself: arrays that every later stage reads and none changes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.events.batch import Floats
from detector.events.model import ModelKey
from detector.kit.errors import ConfigurationError
from detector.reference.fields import KNOTS, Fields
from detector.reference.sketch import MAX_COLUMNS
from detector.reference.surprise import MEASURES, p_values, strangeness

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Reference:
    """Benign traffic of one model, d folded input columns.

    Attributes:
        model: Whose traffic.
        names: Field names as logged, before folding.
        fields: The columns' pictures.
        precision: (d, d) precision of the normal scores.
        calibration: (3, m) sorted strangeness measures of benign rows.
        smallest: (m,) sorted smallest tail shares of the same rows.
        centroids: (k, d) centres of the input space's cells, in scaled units.
        near: Distance in scaled units under which two queries count as near; 0 when unknown.
        low_margin: Margin under which a query hugs the boundary; negative without scores.
        nulls: Client-level behaviour by hypothesis: two Beta parameters a stage, flattened.
        ceilings: Log evidence that benign clients reached, by hypothesis.
        vectors: (c, f) feature vectors of benign clients, for the novelty model.
        events: How many events it was learnt from.
        clients: How many clients.
    """

    model: ModelKey
    names: tuple[str, ...]
    fields: Fields
    precision: Floats
    calibration: Floats
    smallest: Floats
    centroids: Floats
    near: float
    low_margin: float
    nulls: Mapping[str, tuple[float, ...]]
    ceilings: Mapping[str, float]
    vectors: Floats
    events: int
    clients: int

    def p_values(self, cells: Floats) -> NDArray[np.float64]:
        """Return the conformal p-value of each folded row being benign."""
        return p_values(
            strangeness(cells, self.fields, self.precision), self.calibration, self.smallest
        )

    def to_bytes(self) -> bytes:
        """Return a self-describing, versioned encoding (MessagePack)."""
        plain = {name: _pack(getattr(self, name)) for name in _FIELDS}
        return msgspec.msgpack.encode({"format": FORMAT, **plain})

    @classmethod
    def from_bytes(cls, body: bytes) -> "Reference":
        """Decode `to_bytes`; raises `ConfigurationError` on anything else."""
        try:
            plain = msgspec.msgpack.decode(body, type=dict[str, Any])
            if plain.pop("format") != FORMAT:
                raise ConfigurationError("the reference was written by another version: rebuild it")
            values = {name: _unpack(plain[name]) for name in _FIELDS}
            values["model"] = ModelKey(*values["model"])
            values["names"] = tuple(values["names"])
            values["fields"] = Fields(**values["fields"])
            values["nulls"] = {name: tuple(null) for name, null in values["nulls"].items()}
            reference = cls(**values)
            reference._check_shapes()
        except (
            msgspec.DecodeError, AttributeError, IndexError, KeyError, TypeError, ValueError
        ) as error:  # fmt: skip
            raise ConfigurationError(f"not a reference: {error}") from error
        return reference

    def _check_shapes(self) -> None:
        """Raise `ValueError` unless the arrays fit together: compiled code trusts them blindly."""
        width, rows = len(self.fields.center), len(self.smallest)
        wide = {item.name: getattr(self.fields, item.name) for item in fields(Fields)}
        shapes: dict[str, tuple[object, object]] = {
            name: (len(array), width) for name, array in wide.items()
        }
        shapes["knots"] = (wide["knots"].shape, (width, KNOTS))
        shapes["names"] = (min(len(self.names), MAX_COLUMNS), width)
        shapes["precision"] = (self.precision.shape, (width, width))
        shapes["calibration"] = (self.calibration.shape, (MEASURES, rows))
        shapes["centroids"] = (self.centroids.shape[1], width)
        shapes["rarity"] = (wide["rarity"].shape, wide["categories"].shape)
        for name, (found, wanted) in shapes.items():
            if found != wanted:
                raise ValueError(f"{name} has the shape {found} instead of {wanted}")

    def digest(self) -> str:
        """Return the SHA-256 of the encoding, hex."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def summary(self) -> dict[str, str | int | float | bool]:
        """Return what `reference show` prints."""
        return {
            "fields": len(self.names),
            "numeric_fields": int(np.isfinite(self.fields.knots[:, 0]).sum()),
            "gridded_fields": int((self.fields.grid > 0).sum()),
            "has_scores": self.low_margin >= 0,
            "low_margin": round(self.low_margin, 4),
            "near_distance": round(self.near, 4),
            "events": self.events,
            "clients": self.clients,
        }


_FIELDS = tuple(item.name for item in fields(Reference))


def _pack(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value, dtype=np.float64)
        return {"shape": list(array.shape), "data": array.tobytes()}
    if isinstance(value, Fields):
        return {item.name: _pack(getattr(value, item.name)) for item in fields(Fields)}
    return value


def _unpack(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"shape", "data"}:
        return np.frombuffer(value["data"], dtype=np.float64).reshape(value["shape"]).copy()
    if isinstance(value, dict):
        return {name: _unpack(item) for name, item in value.items()}
    return value
