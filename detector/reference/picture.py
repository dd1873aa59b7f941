"""The reference itself: arrays that every later stage reads and none changes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detector.events.batch import Floats
from detector.events.model import ModelKey
from detector.kit.errors import ConfigurationError
from detector.reference.answers import FEATURES, AnswerSample
from detector.reference.fields import KNOTS, Fields
from detector.reference.forest import NO_FOREST, Forest
from detector.reference.layout import PLAIN, Layout
from detector.reference.sketch import MAX_COLUMNS
from detector.reference.surprise import BROKEN, MEASURES, Relations, p_values, strangeness
from detector.reference.volumes import Volumes

FORMAT = 2
SHATTERED_SHARE = 0.55
HALF_MORE = 1.5


@dataclass(frozen=True, slots=True)
class Reference:
    """Benign traffic of one model, d folded input columns.

    Attributes:
        model: Whose traffic.
        names: Field names as logged, before folding.
        fields: The columns' pictures.
        precision: (d, d) precision of the normal scores.
        limits: (d,) residuals that 98% of benign rows keep within.
        broken: The most fields that the typical client's rows break, but for one in 100.
        calibration: (3, m) sorted strangeness measures of benign rows.
        smallest: (m,) sorted smallest tail shares of the same rows.
        centroids: (k, d) centres of the input space's cells, in scaled units.
        near: Distance in scaled units under which two queries count as near; 0 when unknown.
        typical: Median distance of a benign query to the nearest of its client's remembered ones.
        apart: Mean squared distance to the remembered queries that 98% of the typical client's
            queries stay under; infinite when unknown.
        low_margin: Margin under which a query hugs the boundary; negative without scores.
        nulls: Client-level behaviour by sign: two Beta parameters a stage, flattened.
        ceilings: Log evidence that benign clients reached, by sign.
        volumes: (c,) most distinct queries of each client, fading over a day (`Volumes.peaks`).
        vectors: (c, f) feature vectors of benign clients.
        forest: The novelty model's trees, learnt from them.
        answers: Benign queries with their answers, to score surrogates on.
        events: How many events it was learnt from.
        clients: How many clients.
        shattered: How many fields a row must break more than, lest it be one of a group that the
            reference lacks; 0 where none were tried.
        layout: How inputs and answers stand in columns.
        volume_days: How many days of traffic the volumes were seen in; 0 when unknown.
    """

    model: ModelKey
    names: tuple[str, ...]
    fields: Fields
    precision: Floats
    limits: Floats
    broken: float
    calibration: Floats
    smallest: Floats
    centroids: Floats
    near: float
    typical: float
    apart: float
    low_margin: float
    nulls: Mapping[str, tuple[float, ...]]
    ceilings: Mapping[str, float]
    volumes: Floats
    vectors: Floats
    forest: Forest
    answers: AnswerSample
    events: int
    clients: int
    shattered: float = 0.0
    volume_days: float = 0.0
    layout: Layout = PLAIN

    @property
    def asked(self) -> Volumes:
        """How much the clients asked."""
        return Volumes(self.volumes, self.volume_days)

    def with_volumes(self, volumes: Volumes) -> "Reference":
        """Return the reference with what is known of how much clients ask."""
        return replace(self, volumes=volumes.peaks, volume_days=volumes.days)

    def measure(self, cells: Floats) -> Floats:
        """Return the (n, 4) measures of folded rows: three of strangeness, and broken fields."""
        return strangeness(cells, self.fields, Relations(self.precision, self.limits))

    def judge(self, cells: Floats) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return for each folded row its conformal p-value of being benign, and how broken it is.

        That is 0, 1 when it breaks more relations between fields than benign rows do, and 2 when it
        breaks half as many again as these and as new groups do, in 11 of 20 fields at least.
        """
        values = self.measure(cells)
        shares = p_values(values, self.calibration, self.smallest)
        fields = values[:, BROKEN]
        most = max(HALF_MORE * self.broken, SHATTERED_SHARE * cells.shape[1])
        broken = fields > self.broken
        shattered = broken & (fields >= most) & (fields > self.shattered)
        return shares, broken.astype(np.int64) + shattered

    def to_bytes(self) -> bytes:
        """Return a self-describing, versioned encoding (MessagePack)."""
        plain = {name: _pack(getattr(self, name)) for name in _FIELDS}
        # What references did not always keep is left out where it says nothing: digests stay.
        if not len(self.forest):
            del plain["forest"]
        elif not len(self.forest.usual):
            del plain["forest"]["usual"]
        if not self.shattered:
            del plain["shattered"]
        if not self.volume_days:
            del plain["volume_days"]
        if self.layout.is_plain:
            del plain["layout"]
        if not self.fields.origin.any():
            del plain["fields"]["origin"]
        return msgspec.msgpack.encode({"format": FORMAT, **plain})

    @classmethod
    def from_bytes(cls, body: bytes) -> "Reference":
        """Decode `to_bytes`; raises `ConfigurationError` on anything else."""
        try:
            plain = msgspec.msgpack.decode(body, type=dict[str, Any])
            if plain.pop("format") != FORMAT:
                raise ConfigurationError("the reference was written by another version: rebuild it")
            trees = _unpack(plain.pop("forest", None))
            plain.setdefault("shattered", 0.0)
            plain.setdefault("volume_days", 0.0)
            plain.setdefault("apart", np.inf)
            layout = _unpack(plain.pop("layout", None))
            values = {name: _unpack(plain[name]) for name in _FIELDS if name in plain}
            values["model"] = ModelKey(*values["model"])
            values["names"] = tuple(values["names"])
            origin = np.zeros_like(values["fields"]["center"])
            values["fields"] = Fields(**{"origin": origin, **values["fields"]})
            values["answers"] = AnswerSample(**values["answers"])
            values["forest"] = NO_FOREST if trees is None else Forest(**trees)
            if layout is not None:
                scores, classes = (tuple(layout.pop(name)) for name in ("scores", "classes"))
                values["layout"] = Layout(**layout, scores=scores, classes=classes)
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
        self.forest.check()
        self.layout.check(len(self.names))
        width, rows = len(self.fields.center), len(self.smallest)
        wide = {item.name: getattr(self.fields, item.name) for item in fields(Fields)}
        shapes: dict[str, tuple[object, object]] = {
            name: (len(array), width) for name, array in wide.items()
        }
        shapes["knots"] = (wide["knots"].shape, (width, KNOTS))
        shapes["names"] = (min(len(self.names), MAX_COLUMNS), width)
        shapes["precision"] = (self.precision.shape, (width, width))
        shapes["limits"] = (self.limits.shape, (width,))
        shapes["calibration"] = (self.calibration.shape, (MEASURES, rows))
        shapes["centroids"] = (self.centroids.shape[1], width)
        shapes["answers"] = (self.answers.features.shape, (len(self.answers.labels), FEATURES))
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
            "knows_near": self.near > 0.0,
            "knows_apart": bool(np.isfinite(self.apart)),
            "days_of_volumes": round(self.volume_days, 3),
            "events": self.events,
            "clients": self.clients,
            "answers_kept": len(self.answers.labels),
        }


_FIELDS = tuple(item.name for item in fields(Reference))


def _pack(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value, dtype=np.float64)
        return {"shape": list(array.shape), "data": array.tobytes()}
    if isinstance(value, Fields | AnswerSample | Forest | Layout):
        return {item.name: _pack(getattr(value, item.name)) for item in fields(value)}
    return value


def _unpack(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"shape", "data"}:
        return np.frombuffer(value["data"], dtype=np.float64).reshape(value["shape"]).copy()
    if isinstance(value, dict):
        return {name: _unpack(item) for name, item in value.items()}
    return value
