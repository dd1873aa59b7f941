"""What targets answer and in what units rows go over the wire."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from detector.evaluation import datasets, models
from detector.evaluation.models import Forest, ModelKind, OutputForm, Target, Wire


def churn(wire: Wire) -> Target:
    return models.train(
        datasets.load("mlc_churn"), ModelKind.LOGISTIC, OutputForm.FULL, seed=3, wire=wire
    )


def numeric(target: Target) -> list[int]:
    return [j for j, field in enumerate(target.dataset.fields) if not field.is_categorical]


@pytest.mark.parametrize("wire", [Wire.STANDARDISED, Wire.ROUNDED])
def test_a_feature_store_sends_z_scores(wire: Wire) -> None:
    target = churn(wire)
    columns = numeric(target)
    numbers = target.dataset.rows[:, columns]
    assert np.allclose(numbers.mean(axis=0), 0, atol=1e-3)
    assert np.allclose(numbers.std(axis=0), 1, atol=1e-2)
    raw = churn(Wire.RAW).dataset.rows
    others = sorted(set(range(raw.shape[1])) - set(columns))
    assert (target.dataset.rows[:, others] == raw[:, others]).all()


def test_standardised_numbers_keep_six_digits() -> None:
    target = churn(Wire.STANDARDISED)
    sent = target.as_sent(np.full((1, len(target.dataset.fields)), 0.0123456789))
    assert sent[0, numeric(target)] == pytest.approx(0.0123457, abs=1e-12)


@pytest.mark.parametrize("wire", [Wire.STANDARDISED, Wire.ROUNDED])
def test_natural_z_scores_are_those_of_natural_values(wire: Wire) -> None:
    target = churn(wire)
    noise = np.random.default_rng(0).normal(0, 0.05, target.outside.shape)
    assert np.array_equal(target.dataset.natural(target.outside), target.outside)
    moved = target.dataset.natural(target.outside + noise)
    column = [f.name for f in target.dataset.fields].index("number_customer_service_calls")
    assert set(moved[:, column]) <= set(target.dataset.rows[:, column])


def test_a_client_library_rounds_for_attackers_too() -> None:
    target = churn(Wire.ROUNDED)
    sent = target.as_sent(np.full((1, len(target.dataset.fields)), 0.0123456789))
    assert (sent[0, numeric(target)] == 0.012).all()
    assert np.array_equal(target.as_sent(target.outside), target.outside)


def test_units_do_not_change_what_a_model_knows() -> None:
    raw, standardised = churn(Wire.RAW), churn(Wire.STANDARDISED)
    assert np.allclose(raw.proba(raw.outside), standardised.proba(standardised.outside), atol=0.02)


def test_wires_show_in_the_models_name() -> None:
    assert len({churn(wire).model_id for wire in Wire}) == len(Wire)


def test_a_fast_forest_answers_as_its_library_does() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 5))
    rows[::7, 2] = np.nan
    labels = (np.nan_to_num(rows).sum(axis=1) > 0).astype(np.int64)
    fast = Forest(7, random_state=1).fit(rows, labels)
    usual = RandomForestClassifier(7, random_state=1).fit(rows, labels)
    assert np.array_equal(fast.predict_proba(rows), usual.predict_proba(rows))
