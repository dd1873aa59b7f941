"""Tables that a run names: what of them becomes a model, and what is said of those that cannot."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.evaluation import datasets
from detector.evaluation.datasets import FieldKind
from detector.evaluation.narrow import choose, deployment_name
from detector.evaluation.own_table import FEWEST_OF_A_CLASS, MOST_ROWS, read_table, title
from detector.evaluation.splits import Split, deployments_of
from detector.kit.errors import ConfigurationError

ROWS = 400


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "number": rng.normal(size=ROWS).round(2),
            "whole": rng.integers(0, 9, ROWS),
            "text": rng.choice(["a", "b"], ROWS),
            "flag": rng.random(ROWS) < 0.5,
            "id": np.arange(ROWS),
            "name": [f"n{i}" for i in range(ROWS)],
            "same": 1,
            "prose": [f"t{i % 99}" for i in range(ROWS)],
            "answer": rng.choice(["yes", "no"], ROWS),
        }
    )


def written(frame: pd.DataFrame, folder: Path) -> str:
    path = folder / "Own.csv"
    frame.to_csv(path, index=False)
    return f"{path}:answer"


def test_only_what_an_api_would_take_is_an_input(frame: pd.DataFrame, tmp_path: Path) -> None:
    dataset = datasets.load(written(frame, tmp_path))
    assert dataset.name == "own"
    assert {field.name: field.kind for field in dataset.fields} == {
        "number": FieldKind.NUMERIC,
        "whole": FieldKind.INTEGER,
        "text": FieldKind.CATEGORICAL,
        "flag": FieldKind.CATEGORICAL,
    }
    assert dataset.classes == ("no", "yes")
    assert dataset.fields[3].categories == ("False", "True")
    assert not np.isnan(dataset.rows).any()


def test_rare_and_missing_answers_are_left_out(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.loc[:9, "answer"] = None
    frame.loc[10 : 8 + FEWEST_OF_A_CLASS, "answer"] = "rare"
    dataset = datasets.load(written(frame, tmp_path))
    assert dataset.classes == ("no", "yes")
    assert len(dataset.rows) == ROWS - 9 - FEWEST_OF_A_CLASS


def test_counted_answers_stay_whole_numbers_beside_gaps(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    frame["answer"] = frame["flag"].astype(float)
    frame.loc[3, "answer"] = None
    classes = datasets.load(written(frame, tmp_path)).classes
    assert classes == (0, 1)
    assert all(type(c) is int for c in classes)


def test_truth_values_are_texts_with_gaps_or_without(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame["answer"] = frame["flag"]
    frame["gaps"] = frame["flag"].astype(object)
    frame.loc[:5, "gaps"] = None
    dataset = datasets.load(written(frame, tmp_path))
    assert dataset.classes == ("False", "True")
    fields = {field.name: (j, field) for j, field in enumerate(dataset.fields)}
    place, gaps = fields["gaps"]
    assert gaps.categories == ("False", "True")
    assert np.isnan(dataset.rows[:, place]).sum() == 6


def test_a_large_table_is_thinned_evenly(frame: pd.DataFrame, tmp_path: Path) -> None:
    large = pd.concat([frame] * 60, ignore_index=True)
    read, target = read_table(written(large, tmp_path))
    assert target == "answer"
    assert len(large) / 3 == len(read) <= MOST_ROWS


def test_a_public_table_is_read_by_package_and_item() -> None:
    dataset = datasets.load("COUNT/medpar:died")
    assert dataset.name == "medpar"
    assert dataset.classes == (0, 1)


def test_models_of_tables_take_the_place_of_a_split_s_own() -> None:
    tables = [f"P/t{i}:y" for i in range(10)]
    chosen = choose(Split.TUNING, ["t3", "uniform"], tables)
    assert [deployment_name(d) for _, d in chosen.deployments] == ["t3-mlp-full"]
    assert [attack.name for attack in chosen.attacks] == ["uniform"]
    kinds = {(d.kind, d.form) for d in deployments_of(tables)}
    assert len(kinds) > 5


def test_a_known_name_is_its_own_title() -> None:
    assert [title(n) for n in ("digits", "COUNT/rwm1984:outwork", "a/B.c.csv:y")] == [
        "digits", "rwm1984", "b.c",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.csv:answer", "gone.csv cannot be read"),
        ("NOPE/nope:answer", "neither a .csv file nor PACKAGE/ITEM"),
        ("nope:answer", "neither a .csv file nor PACKAGE/ITEM"),
        ("COUNT/medpar:nope", "no column 'nope'; there are "),
        ("{own}:number", "number is measured"),
        ("{own}:same", "same has 1 answers"),
        ("{own}:id", "id has 0 answers"),
        ("{short}:answer", "200 rows of 4 inputs"),
        ("{narrow}:answer", "400 rows of 1 inputs"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    frame: pd.DataFrame, tmp_path: Path, name: str, message: str
) -> None:
    paths = {key: tmp_path / f"{key}.csv" for key in ("own", "short", "narrow")}
    frame.to_csv(paths["own"], index=False)
    frame[:200].to_csv(paths["short"], index=False)
    frame[["whole", "answer"]].to_csv(paths["narrow"], index=False)
    with pytest.raises(ConfigurationError, match=message):
        datasets.load(name.format(**paths))


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    for content in (b"", b'a,b\n"x', b"\xff\xfe\x00"):
        path = tmp_path / "broken.csv"
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="broken"):
            datasets.load(f"{path}:a")
