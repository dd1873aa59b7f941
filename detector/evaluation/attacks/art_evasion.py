"""Evasion by ART, decisions or scores only.

HopSkipJump (Chen, Jordan and Wainwright, IEEE S&P 2020), the boundary attack (Brendel et al.,
"Decision-Based Adversarial Attacks", ICLR 2018), SimBA (Guo et al., "Simple Black-box Adversarial
Attacks", ICML 2019), ZOO (Chen et al., AISec 2017) and Sign-OPT (Cheng et al., "Sign-OPT: A
Query-Efficient Hard-Label Adversarial Attack", ICLR 2020), each on natural records of the
attacker's own. Parameters are ART's defaults; SimBA takes each coordinate once, and
ZOO's are about those of ART's examples for trees, fewer steps a record and then the next record.
"""

from art.attacks.evasion import BoundaryAttack, HopSkipJump, SignOPTAttack, SimBA, ZooAttack

from detector.evaluation.attacks.art_estimator import chance, over_image, over_numbers
from detector.evaluation.attacks.attack import Attacker
from detector.evaluation.attacks.evader import Evader
from detector.evaluation.datasets import Coded

ZOO_PARALLEL = 5
ZOO_DIFFERENCES = (0.01, 0.2)


def hop_skip_jump(
    attacker: Attacker, record: Coded, *, iterations: int = 50, evaluations: int = 100
) -> None:
    """Find a close point of another class.

    Args:
        attacker: Who asks.
        record: (D,) point of the cube.
        iterations: Steps towards the record.
        evaluations: Queries of the first estimate of the boundary's normal; later ones take more.
    """
    start = Evader.of(attacker, record).start()
    if start is None:
        return
    attack = HopSkipJump(
        over_numbers(attacker, record), max_iter=iterations, init_eval=evaluations, verbose=False
    )
    with chance(attacker.rng):
        attack.generate(record[None, attacker.space.numeric], x_adv_init=start[None])


def hop_skip_jump_record(attacker: Attacker) -> None:
    """Run HopSkipJump on one record, again and again from other starts, while there is budget."""
    record, before = attacker.seeds(1)[0], -1
    while len(attacker.oracle) > before:
        before = len(attacker.oracle)
        hop_skip_jump(attacker, record)


def boundary_walk(attacker: Attacker) -> None:
    """Walk along the boundary towards a record: an orthogonal step, then one inwards."""
    record = attacker.seeds(1)[0]
    start = Evader.of(attacker, record).start()
    if start is None:
        return
    attack = BoundaryAttack(over_numbers(attacker, record), targeted=False, verbose=False)
    with chance(attacker.rng):
        attack.generate(record[None, attacker.space.numeric], x_adv_init=start[None])


def sign_opt(attacker: Attacker) -> None:
    """Turn the direction from a record to the boundary so that the boundary comes nearer.

    ART refuses models of two classes, although the attack knows but one label and the rest.
    """
    record, numeric = attacker.seeds(1)[0], attacker.space.numeric
    attack = SignOPTAttack(over_numbers(attacker, record, spare=1), targeted=False, verbose=False)
    with chance(attacker.rng):
        attack.generate(record[None, numeric])


def simba(attacker: Attacker) -> None:
    """Step one random coordinate at a time, keeping what lowers the label's score."""
    record, numeric = attacker.seeds(1)[0], attacker.space.numeric
    once = len(numeric)  # as published: no coordinate is taken twice
    attack = SimBA(over_image(attacker, record), attack="px", max_iter=once, verbose=False)
    with chance(attacker.rng):
        attack.generate(record[None, None, None, numeric])


def zoo(attacker: Attacker) -> None:
    """Estimate coordinates' derivatives from symmetric pairs and descend along them."""
    record, numeric = attacker.seeds(1)[0], attacker.space.numeric
    attack = ZooAttack(
        over_numbers(attacker, record),
        learning_rate=0.1,
        max_iter=20,
        binary_search_steps=3,
        nb_parallel=min(ZOO_PARALLEL, len(numeric)),
        variable_h=float(attacker.rng.choice(ZOO_DIFFERENCES)),
        verbose=False,
    )
    with chance(attacker.rng):
        attack.generate(record[None, numeric])
