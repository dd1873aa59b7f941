"""What is tuned on and what is held out stay apart, and every deployment can be built."""

from collections import defaultdict

import pytest

from detector.evaluation import benign, datasets, models
from detector.evaluation.attacks import ATTACKS, attacks_of
from detector.evaluation.splits import (
    DEPLOYMENTS,
    HELD_OUT_ATTACKS,
    SEEDS,
    TUNED_ATTACKS,
    TUNED_BENIGN,
    TUNING_ONLY,
    Deployment,
    Split,
    benign_kinds_of,
)

EVERYWHERE = sorted({d for split in Split for d in DEPLOYMENTS[split]}, key=str)
ONE_SIDED = {"functionally_equivalent", "random_square", "score_descent", "few_fields"}


def model_id(deployment: Deployment, seed: int = 1) -> str:
    return models.train(
        datasets.load(deployment.dataset),
        deployment.kind,
        deployment.form,
        seed=seed,
        strict=deployment.strict,
        wire=deployment.wire,
    ).model_id


def test_no_data_set_is_both_tuned_on_and_held_out() -> None:
    used = {split: {d.dataset for d in DEPLOYMENTS[split]} for split in Split}
    assert used[Split.TUNING].isdisjoint(used[Split.HELD_OUT] | used[Split.DEMO])


def test_every_variant_is_either_tuned_on_or_held_out() -> None:
    assert TUNED_ATTACKS.isdisjoint(HELD_OUT_ATTACKS)
    assert {a.name for a in ATTACKS} == TUNED_ATTACKS | HELD_OUT_ATTACKS
    assert len({a.name for a in ATTACKS}) == len(ATTACKS)


def test_a_split_runs_its_own_variants() -> None:
    assert {a.name for a in attacks_of(Split.TUNING)} == TUNED_ATTACKS
    assert {a.name for a in attacks_of(Split.HELD_OUT)} == HELD_OUT_ATTACKS


def test_the_demo_shows_each_technique_of_both_sides_and_no_variant_for_tuning_alone() -> None:
    assert TUNING_ONLY < TUNED_ATTACKS
    shown = attacks_of(Split.DEMO)
    assert TUNING_ONLY.isdisjoint(a.name for a in shown)
    assert {a.technique for a in shown} == {
        a.technique for a in ATTACKS if not a.is_volume and a.name not in TUNING_ONLY
    }


def test_a_technique_has_variants_on_both_sides() -> None:
    sides: dict[str, set[Split]] = defaultdict(set)
    for split in (Split.TUNING, Split.HELD_OUT):
        for attack in attacks_of(split):
            sides[attack.technique].add(split)
    assert {name for name, found in sides.items() if len(found) == 1} == ONE_SIDED


def test_some_benign_kinds_are_held_out_and_none_is_left_out() -> None:
    assert set(benign_kinds_of(Split.TUNING)) == TUNED_BENIGN
    assert set(benign_kinds_of(Split.HELD_OUT)) == set(benign.KINDS)
    assert set(benign.KINDS) - TUNED_BENIGN == {"what_if_flip", "noisy", "paging_user"}


def test_splits_draw_from_different_seeds() -> None:
    assert len(set(SEEDS.values())) == len(Split)


@pytest.mark.parametrize("split", [Split.TUNING, Split.HELD_OUT])
def test_every_deployment_builds_under_a_name_of_its_own(split: Split) -> None:
    names = [model_id(deployment) for deployment in DEPLOYMENTS[split]]
    assert len(set(names)) == len(names)
