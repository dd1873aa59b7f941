"""Which deployments, attack variants and benign kinds a run is narrowed down to."""

from collections.abc import Sequence
from dataclasses import dataclass

from detector.evaluation.attacks import attacks_of
from detector.evaluation.attacks.attack import Attack
from detector.evaluation.models import Wire
from detector.evaluation.own_table import title
from detector.evaluation.splits import (
    DEPLOYMENTS,
    Deployment,
    Split,
    benign_kinds_of,
    deployments_of,
)
from detector.kit.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is left of a split.

    Attributes:
        deployments: Each with its number in the whole split.
        attacks: The variants.
        kinds: The benign kinds of clients that are judged.
    """

    deployments: tuple[tuple[int, Deployment], ...]
    attacks: tuple[Attack, ...]
    kinds: tuple[str, ...]


def deployment_name(deployment: Deployment) -> str:
    """Return what a deployment's model is called."""
    wire = [] if deployment.wire is Wire.RAW else [str(deployment.wire)]
    parts = [title(deployment.dataset), str(deployment.kind), str(deployment.form)]
    return "-".join([*parts, *["strict"] * deployment.strict, *wire])


def choose(split: Split, only: Sequence[str], tables: Sequence[str] = ()) -> Chosen:
    """Narrow a split down: a word that is part of a deployment's name stands for deployments.

    Models of tables (`own_table`), where there are any, take the place of the split's own.

    Raises:
        ConfigurationError: A word names nothing in the split.
    """
    whole = tuple(enumerate(deployments_of(tables) if tables else DEPLOYMENTS[split]))
    places = [(i, d) for i, d in whole if any(word in deployment_name(d) for word in only)]
    rest = [word for word in only if not any(word in deployment_name(d) for _, d in whole)]
    attacks, kinds = narrowed(attacks_of(split), benign_kinds_of(split), rest)
    return Chosen(tuple(places) or whole, attacks, kinds)


def narrowed(
    attacks: Sequence[Attack], kinds: Sequence[str], only: Sequence[str]
) -> tuple[tuple[Attack, ...], tuple[str, ...]]:
    """Return the variants and benign kinds that the words name; all of both without any word.

    A technique stands for its variants. Raises `ConfigurationError` for a word that names nothing.
    """
    known = {name for attack in attacks for name in (attack.name, attack.technique)} | {*kinds}
    if unknown := [word for word in only if word not in known]:
        raise ConfigurationError(
            f"--only {unknown[0]}: no deployment, attack or benign kind here is called so"
        )
    if not only:
        return tuple(attacks), tuple(kinds)
    return (
        tuple(a for a in attacks if a.name in only or a.technique in only),
        tuple(kind for kind in kinds if kind in only),
    )
