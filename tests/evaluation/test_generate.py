from pathlib import Path

from detector.evaluation.generate import Size, simulate, write
from detector.evaluation.models import ModelKind, OutputForm
from detector.evaluation.splits import Deployment, Split

WINE = Deployment("wine", ModelKind.LOGISTIC, OutputForm.TOP1)
TINY = Size(reference_clients=2, clients_per_kind=1, max_queries=40, shares=(0.0, 0.5))


def made(folder: Path) -> dict[str, bytes]:
    write(folder, *simulate([WINE], Split.TUNING, TINY, seed=5))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    assert made(tmp_path / "first") == made(tmp_path / "second")


def test_mixed_streams_keep_their_share_of_benign_queries() -> None:
    _, log = simulate([WINE], Split.TUNING, TINY, seed=5)
    mixed = [stream for stream in log if stream.attack and stream.benign_share == 0.5]
    assert mixed
    assert {len(stream.events) for stream in mixed} == {80}
