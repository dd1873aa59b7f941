"""Attacks on prediction APIs, one file a family; `ATTACKS` lists every variant.

They query real models and see only their answers. Those in files named `art_` are run by
adversarial-robustness-toolbox; the others, which it does not have in a form that works by queries
alone, are written from the papers named in each file.
"""

from detector.evaluation.attacks import (
    active_learning,
    art_evasion,
    art_extraction,
    data_free,
    decision_evasion,
    evolution,
    foreign,
    functionally_equivalent,
    harvesting,
    inversion,
    jacobian,
    latent,
    line_search,
    membership,
    path_finding,
    random_queries,
    random_square,
    rays,
    score_evasion,
)
from detector.evaluation.attacks.attack import SCORES, SLOW, Attack, Pace
from detector.evaluation.splits import HELD_OUT_ATTACKS, TUNED_ATTACKS, TUNING_ONLY, Split
from detector.scoring.finding import AttackClass

_EXTRACTION, _INVERSION = AttackClass.EXTRACTION, AttackClass.INVERSION
_MEMBERSHIP, _EVASION = AttackClass.MEMBERSHIP, AttackClass.EVASION

_HARVESTING = AttackClass.HARVESTING

_TEN_A_SECOND = Pace(1_000.0, 1_500.0)
_TWO_DAYS = Pace(130_000.0, 172_800.0)
_POOL = 4_000
_HARVEST, _HARVEST_POOL = 12_000, 40_000

ATTACKS: tuple[Attack, ...] = (
    Attack("path_finding", "tree_path_finding", _EXTRACTION, 1000, path_finding.complete),
    Attack(
        "path_finding_natural", "tree_path_finding", _EXTRACTION, 1000, path_finding.natural_start
    ),
    Attack("path_finding_shuffled", "tree_path_finding", _EXTRACTION, 1000, path_finding.shuffled),
    Attack(
        "path_finding_incomplete", "tree_path_finding", _EXTRACTION, 1000, path_finding.incomplete
    ),
    Attack("uniform", "equation_solving", _EXTRACTION, 500, random_queries.uniform),
    Attack("gaussian", "equation_solving", _EXTRACTION, 500, random_queries.gaussian),
    Attack("uniform_grid", "equation_solving", _EXTRACTION, 500, random_queries.whole_numbers),
    Attack("latin_hypercube", "equation_solving", _EXTRACTION, 500, random_queries.latin_hypercube),
    Attack("lowd_meek", "line_search", _EXTRACTION, 600, line_search.lowd_meek),
    Attack("axis_crossings", "line_search", _EXTRACTION, 600, line_search.axis_crossings),
    Attack("random_segments", "line_search", _EXTRACTION, 600, line_search.random_segments),
    Attack("natural_segments", "line_search", _EXTRACTION, 600, line_search.natural_segments),
    Attack(
        "functionally_equivalent",
        "functionally_equivalent",
        _EXTRACTION,
        1000,
        functionally_equivalent.critical_points,
    ),
    Attack("jbda", "jacobian_augmentation", _EXTRACTION, 1280, jacobian.jbda),
    Attack("jbrand", "jacobian_augmentation", _EXTRACTION, 1280, jacobian.jbrand),
    Attack("random_sign", "jacobian_augmentation", _EXTRACTION, 1280, jacobian.random_sign),
    Attack("knockoff", "natural_surrogate", _EXTRACTION, 1000, art_extraction.knockoff),
    Attack("copycat", "natural_surrogate", _EXTRACTION, 1000, art_extraction.copycat),
    Attack("sorted_rows", "natural_surrogate", _EXTRACTION, 1000, foreign.sorted_rows),
    Attack(
        "active_learning",
        "active_learning",
        _EXTRACTION,
        500,
        active_learning.active_learning,
        pool=_POOL,
    ),
    Attack(
        "active_learning_committee",
        "active_learning",
        _EXTRACTION,
        500,
        active_learning.committee,
        pool=_POOL,
    ),
    Attack("dfme", "data_free", _EXTRACTION, 1000, data_free.dfme, SCORES),
    Attack("maze", "data_free", _EXTRACTION, 1000, data_free.maze, SCORES),
    Attack("dfme_batch", "data_free", _EXTRACTION, 1000, data_free.batched_differences, SCORES),
    Attack("nes", "confidence_ascent", _INVERSION, 960, inversion.antithetic_ascent, SCORES),
    Attack("forward", "confidence_ascent", _INVERSION, 960, inversion.forward_ascent, SCORES),
    Attack("spsa", "confidence_ascent", _INVERSION, 960, inversion.simultaneous_ascent, SCORES),
    Attack("brep", "sphere_sampling", _INVERSION, 1200, inversion.sphere_sampling),
    Attack("brep_wide", "sphere_sampling", _INVERSION, 1200, inversion.wide_spheres),
    Attack("latent", "latent_search", _INVERSION, 600, latent.latent_search, SCORES),
    Attack("latent_genetic", "latent_search", _INVERSION, 600, latent.genetic_search, SCORES),
    Attack(
        "nes_random", "confidence_ascent", _INVERSION, 960, inversion.random_start_ascent, SCORES
    ),
    Attack("central", "confidence_ascent", _INVERSION, 960, inversion.central_ascent, SCORES),
    Attack("pattern", "confidence_ascent", _INVERSION, 960, inversion.pattern_ascent, SCORES),
    Attack("es_inversion", "confidence_ascent", _INVERSION, 600, evolution.es_inversion, SCORES),
    Attack("cem_inversion", "latent_search", _INVERSION, 400, evolution.cem_inversion, SCORES),
    Attack("latent_walk", "latent_search", _INVERSION, 400, latent.latent_walk, SCORES),
    Attack("sweep", "attribute_sweep", _INVERSION, 800, inversion.attribute_sweep),
    Attack("sweep_shuffled", "attribute_sweep", _INVERSION, 800, inversion.shuffled_sweep),
    Attack("hsj_distance", "boundary_distance", _MEMBERSHIP, 1000, membership.boundary_distance),
    Attack("noise_distance", "boundary_distance", _MEMBERSHIP, 1000, membership.noise_distance),
    Attack(
        "subspace_distance", "boundary_distance", _MEMBERSHIP, 1000, membership.subspace_distance
    ),
    Attack(
        "decision_distance",
        "boundary_distance",
        _MEMBERSHIP,
        1000,
        decision_evasion.decision_distance,
    ),
    Attack("augmentation", "augmentation_bursts", _MEMBERSHIP, 800, membership.augmentation),
    Attack(
        "augmentation_fields",
        "augmentation_bursts",
        _MEMBERSHIP,
        800,
        membership.field_augmentation,
    ),
    Attack("rays_distance", "boundary_distance", _MEMBERSHIP, 1000, rays.rays_distance),
    Attack(
        "gaussian_augmentation",
        "augmentation_bursts",
        _MEMBERSHIP,
        800,
        membership.gaussian_augmentation,
    ),
    Attack("neighbourhood", "augmentation_bursts", _MEMBERSHIP, 600, membership.neighbourhood),
    Attack("roster", "roster", _MEMBERSHIP, 300, membership.roster, detectable=False),
    Attack(
        "roster_slow", "roster", _MEMBERSHIP, 300, membership.roster, detectable=False, pace=SLOW
    ),
    Attack("hop_skip_jump", "boundary_walk", _EVASION, 800, art_evasion.hop_skip_jump_record),
    Attack("boundary_walk", "boundary_walk", _EVASION, 800, art_evasion.boundary_walk),
    Attack("sign_opt", "boundary_walk", _EVASION, 1000, art_evasion.sign_opt),
    Attack("simba", "coordinate_steps", _EVASION, 600, art_evasion.simba, SCORES),
    Attack("zoo", "coordinate_steps", _EVASION, 600, art_evasion.zoo, SCORES),
    Attack("square", "random_square", _EVASION, 1000, random_square.square, SCORES),
    Attack("rays", "boundary_walk", _EVASION, 800, rays.rays),
    Attack("evolutionary", "boundary_walk", _EVASION, 800, decision_evasion.evolutionary),
    Attack("geoda", "boundary_walk", _EVASION, 800, decision_evasion.geoda),
    Attack("nes_evasion", "score_descent", _EVASION, 800, score_evasion.nes_evasion, SCORES),
    Attack("es_evasion", "score_descent", _EVASION, 600, evolution.es_evasion, SCORES),
    Attack("greedy", "coordinate_steps", _EVASION, 600, score_evasion.greedy, SCORES),
    Attack("sign_bits", "score_descent", _EVASION, 600, score_evasion.sign_bits, SCORES),
    Attack("one_pixel", "few_fields", _EVASION, 600, score_evasion.one_pixel, SCORES),
    Attack(
        "harvest_burst",
        "harvesting",
        _HARVESTING,
        _HARVEST,
        harvesting.harvest,
        pool=_HARVEST_POOL,
        pace=_TEN_A_SECOND,
        is_volume=True,
    ),
    Attack(
        "harvest_steady",
        "harvesting",
        _HARVESTING,
        _HARVEST,
        harvesting.harvest,
        pool=_HARVEST_POOL,
        pace=_TWO_DAYS,
        is_volume=True,
    ),
)


def attacks_of(split: Split) -> tuple[Attack, ...]:
    """Return the variants of a split: the tuned ones, the held-out ones, or for the demo both.

    The demo leaves out those with a pace of their own, which would outweigh or outlast all the
    rest of its log, and those that are for tuning alone.
    """
    if split is Split.DEMO:
        return tuple(
            attack for attack in ATTACKS if attack.pace is None and attack.name not in TUNING_ONLY
        )
    names = TUNED_ATTACKS if split is Split.TUNING else HELD_OUT_ATTACKS
    return tuple(attack for attack in ATTACKS if attack.name in names)
