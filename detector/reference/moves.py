"""How far a refresh may go, what it moved, and the refusal to go farther."""

from dataclasses import dataclass

from detector.kit.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a refresh may go: each pair is one step, and the whole way from the anchor.

    Attributes:
        quantiles: Of a field's quantiles, in units of the anchor's scale of that field.
        scales: Factor on a field's scale and on distances between queries.
        shares: Of missing cells, and of rows with categories that the reference does not hold.
        covariances: Of the fields' normal scores.
        tails: Factor on the p-value of any row.
        odds: Factor on the odds and on the strength of what benign clients show of a hypothesis,
            and on the share of a category.
        ceilings: Of log evidence that benign clients reached.
        margins: Of the low margin.
        witnesses: Share of clients above which a change of structure is the world's, not a few
            clients'.
        vectors: Share of the client vectors that one refresh replaces.
        volumes: Factor on how much clients ask in a day.
    """

    quantiles: tuple[float, float] = (0.05, 0.5)
    scales: tuple[float, float] = (1.05, 1.5)
    shares: tuple[float, float] = (0.05, 0.2)
    covariances: tuple[float, float] = (0.05, 0.2)
    tails: tuple[float, float] = (1.25, 2.0)
    odds: tuple[float, float] = (1.25, 2.0)
    ceilings: tuple[float, float] = (0.5, 1.5)
    margins: tuple[float, float] = (0.02, 0.1)
    witnesses: float = 0.2
    vectors: float = 0.1
    volumes: tuple[float, float] = (1.25, 2.0)


@dataclass(frozen=True, slots=True)
class Move:
    """What became of one quantity: how far it is from the reference in force and the anchor.

    Attributes:
        what: The quantity, such as `amount: quantiles`.
        unit: What the numbers count, such as `of its spread`.
        step: Distance gone in this refresh.
        total: Distance from the anchor.
        allowed: Greatest distance from the anchor.
    """

    what: str
    unit: str
    step: float
    total: float
    allowed: float

    @property
    def too_far(self) -> bool:
        """Whether a person must look at it."""
        return self.total > self.allowed


class DriftRefusedError(ConfigurationError):
    """Recent traffic lies too far from the anchor; the message names each quantity."""

    def __init__(self, moves: tuple[Move, ...]) -> None:
        named = "; ".join(
            f"{move.what} {move.total:.2f} {move.unit} (at most {move.allowed:.2f})"
            for move in moves
        )
        super().__init__(f"the world has moved too far for a refresh: {named}")
        self.moves = moves
