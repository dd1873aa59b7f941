import numpy as np
import pytest

from detector.evaluation import population
from detector.evaluation.attacks import ATTACKS
from detector.evaluation.attacks.attack import Attack, Attacker
from detector.evaluation.datasets import Coded
from detector.evaluation.models import Target
from detector.evaluation.recorder import BudgetSpentError, Recorder
from detector.evaluation.space import Space

BUDGET = 150


def attacker(target: Target, budget: int, seed: int = 1) -> Attacker:
    natural = target.outside
    return Attacker(
        oracle=Recorder(target, budget),
        space=Space(target.dataset),
        natural=natural,
        foreign=np.random.default_rng(9).permuted(natural, axis=0),
        candidates=np.concatenate([target.members[:50], target.outside[:50]]),
        rng=np.random.default_rng(seed),
    )


def run(attack: Attack, target: Target) -> Recorder:
    someone = attacker(target, BUDGET)
    attack.execute(someone)
    return someone.oracle


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_spends_its_budget_on_the_model_itself(
    attack: Attack, cancer_target: Target
) -> None:
    oracle = run(attack, cancer_target)
    assert len(oracle) == BUDGET
    again = cancer_target.answer(oracle.rows())
    assert (again.labels == oracle.answers().labels).all()
    assert np.allclose(again.scores, oracle.answers().scores, atol=2e-6)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_depends_on_its_seed_alone(attack: Attack, churn_target: Target) -> None:
    first, again = (run(attack, churn_target).rows() for _ in range(2))
    assert np.array_equal(first, again, equal_nan=True)


def test_path_finding_moves_one_field_at_a_time(cancer_target: Target) -> None:
    [attack] = [a for a in ATTACKS if a.name == "path_finding_natural"]
    rows = run(attack, cancer_target).rows()
    changed = (rows[1:] != rows[0]).sum(axis=1)
    assert (changed <= 1).mean() > 0.5


@pytest.mark.parametrize("name", ["nes", "forward", "spsa"])
@pytest.mark.parametrize("seed", range(3))
def test_confidence_ascent_reaches_its_victim_class(
    digits_target: Target, name: str, seed: int
) -> None:
    [attack] = [a for a in ATTACKS if a.name == name]
    victim = int(np.random.default_rng(seed).integers(10))  # the attacker's first draw
    someone = attacker(digits_target, 1500, seed)
    attack.execute(someone)
    climb = someone.oracle.answers().scores[:, victim]
    assert climb[0] < 0.5
    assert climb.max() > 0.9


@pytest.mark.parametrize("name", ["hop_skip_jump", "boundary_walk"])
def test_decision_based_evasion_comes_nearer_and_nearer(digits_target: Target, name: str) -> None:
    [attack] = [a for a in ATTACKS if a.name == name]
    someone = attacker(digits_target, 1500)
    attack.execute(someone)
    points = someone.space.encode(someone.oracle.rows())
    labels = someone.oracle.answers().labels
    evading = np.linalg.norm(points - points[0], axis=1)[labels != labels[0]]
    assert evading.min() < 0.5 * evading[0]


def test_knockoff_asks_for_rows_of_the_other_domain_as_they_are(digits_target: Target) -> None:
    [attack] = [a for a in ATTACKS if a.name == "knockoff"]
    someone = attacker(digits_target, BUDGET)
    attack.execute(someone)
    pool = {tuple(row) for row in someone.foreign}
    assert {tuple(row) for row in someone.oracle.rows()} <= pool


@pytest.mark.parametrize(
    "name", ["hop_skip_jump", "boundary_walk", "sign_opt", "simba", "zoo", "copycat"]
)
def test_toolbox_attacks_depend_on_their_own_seed_alone(digits_target: Target, name: str) -> None:
    [attack] = [a for a in ATTACKS if a.name == name]
    runs = []
    for elsewhere in (1, 2):
        np.random.seed(elsewhere)
        runs.append(run(attack, digits_target).rows())
        assert np.random.random() == np.random.RandomState(elsewhere).random()
    assert (runs[0] == runs[1]).all()


def test_a_budget_is_used_to_the_last_query(cancer_target: Target) -> None:
    oracle = Recorder(cancer_target, 5)
    oracle.ask(cancer_target.outside[:3])
    with pytest.raises(BudgetSpentError):
        oracle.ask(cancer_target.outside[:3])
    assert len(oracle.rows()) == 5


def test_points_of_the_cube_decode_to_the_rows_they_encode(cancer_target: Target) -> None:
    space = Space(cancer_target.dataset)
    rows: Coded = cancer_target.outside
    assert np.allclose(space.decode(space.encode(rows)), rows)


def test_natural_rows_stay_on_the_grid(cancer_target: Target) -> None:
    people = population.build(cancer_target.dataset, cancer_target.outside, seed=0)
    rows = people.varied(np.arange(100), np.random.default_rng(0))
    assert (cancer_target.dataset.natural(rows) == rows).all()
