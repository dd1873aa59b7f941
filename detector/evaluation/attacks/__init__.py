"""Attacks on prediction APIs, one file a family; `ATTACKS` lists every variant.

They query real models and see only their answers. Those in files named `art_` are run by
adversarial-robustness-toolbox; the others, which it does not have in a form that works by queries
alone, are written from the papers named in each file.
"""

from detector.evaluation.attacks import (
    active_learning,
    art_evasion,
    art_extraction,
    inversion,
    jacobian,
    line_search,
    membership,
    path_finding,
    random_queries,
)
from detector.evaluation.attacks.attack import SCORES, Attack
from detector.evaluation.splits import HELD_OUT_ATTACKS, TUNED_ATTACKS, Split
from detector.scoring.finding import AttackClass

_EXTRACTION, _INVERSION = AttackClass.EXTRACTION, AttackClass.INVERSION
_MEMBERSHIP, _EVASION = AttackClass.MEMBERSHIP, AttackClass.EVASION

ATTACKS: tuple[Attack, ...] = (
    Attack("path_finding", "tree_path_finding", _EXTRACTION, 1000, path_finding.complete),
    Attack(
        "path_finding_natural", "tree_path_finding", _EXTRACTION, 1000, path_finding.natural_start
    ),
    Attack(
        "path_finding_incomplete", "tree_path_finding", _EXTRACTION, 1000, path_finding.incomplete
    ),
    Attack("uniform", "equation_solving", _EXTRACTION, 500, random_queries.uniform),
    Attack("gaussian", "equation_solving", _EXTRACTION, 500, random_queries.gaussian),
    Attack("uniform_grid", "equation_solving", _EXTRACTION, 500, random_queries.whole_numbers),
    Attack("lowd_meek", "line_search", _EXTRACTION, 600, line_search.lowd_meek),
    Attack("random_segments", "line_search", _EXTRACTION, 600, line_search.random_segments),
    Attack("jbda", "jacobian_augmentation", _EXTRACTION, 1280, jacobian.jbda),
    Attack("jbrand", "jacobian_augmentation", _EXTRACTION, 1280, jacobian.jbrand),
    Attack("random_sign", "jacobian_augmentation", _EXTRACTION, 1280, jacobian.random_sign),
    Attack("knockoff", "natural_surrogate", _EXTRACTION, 1000, art_extraction.knockoff),
    Attack("copycat", "natural_surrogate", _EXTRACTION, 1000, art_extraction.copycat),
    Attack("active_learning", "active_learning", _EXTRACTION, 500, active_learning.active_learning),
    Attack("nes", "confidence_ascent", _INVERSION, 960, inversion.antithetic_ascent, SCORES),
    Attack("forward", "confidence_ascent", _INVERSION, 960, inversion.forward_ascent, SCORES),
    Attack("brep", "sphere_sampling", _INVERSION, 1200, inversion.sphere_sampling),
    Attack("latent", "latent_search", _INVERSION, 600, inversion.latent_search, SCORES),
    Attack("sweep", "attribute_sweep", _INVERSION, 800, inversion.attribute_sweep),
    Attack("hsj_distance", "boundary_distance", _MEMBERSHIP, 1000, membership.boundary_distance),
    Attack("noise_distance", "boundary_distance", _MEMBERSHIP, 1000, membership.noise_distance),
    Attack("augmentation", "augmentation_bursts", _MEMBERSHIP, 800, membership.augmentation),
    Attack("roster", "roster", _MEMBERSHIP, 300, membership.roster, detectable=False),
    Attack("hop_skip_jump", "boundary_walk", _EVASION, 800, art_evasion.hop_skip_jump_record),
    Attack("boundary_walk", "boundary_walk", _EVASION, 800, art_evasion.boundary_walk),
    Attack("simba", "coordinate_steps", _EVASION, 600, art_evasion.simba, SCORES),
    Attack("zoo", "coordinate_steps", _EVASION, 600, art_evasion.zoo, SCORES),
)


def attacks_of(split: Split) -> tuple[Attack, ...]:
    """Return the variants of a split: the tuned ones, the held-out ones, or for the demo all."""
    names = {Split.TUNING: TUNED_ATTACKS, Split.HELD_OUT: HELD_OUT_ATTACKS}.get(split)
    return tuple(attack for attack in ATTACKS if names is None or attack.name in names)
