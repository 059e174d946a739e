"""docs/python.md: its examples run, one after the other, on drawn people and a small network."""

import contextlib
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stages.synthetic.clip import Clip
from stages.synthetic.writing import Order, write

PAGE = Path(__file__).resolve().parents[1] / "docs" / "python.md"
MINE = """\
name: mine
stages:
  index: {uses: folder, with: {root: drawn}}
  decode: {needs: index, with: {frames: 8, short_side: 128}}
  pose: {needs: decode, with: {estimator: hrnet_mini, detector: mini}}
  cache: {needs: [decode, pose], with: {size: 80}}
  train:
    needs: cache
    with: {batch: 4, val_share: 0, threads: 1, model: {modality: rgb+pose, size: 32, width: 4, blocks: 1}}
  predict: {needs: [cache, train]}
  evaluate: {needs: predict}
"""


def drawn(action: str, number: int, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(Order(Clip(5, "test", action, number, 128), path, None))


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All that the examples define."""
    home = tmp_path_factory.mktemp("home")
    (home / "mine.yaml").write_text(MINE)
    for number, name in enumerate([*(f"train/{i}" for i in range(3)), "test/0"]):
        for action in ("push", "wave_left"):
            split, _, file = name.partition("/")
            drawn(action, number, home / "drawn" / split / action / f"{file}.mp4")
    drawn("push", 9, home / "my_videos" / "one.mp4")
    names: dict[str, Any] = {}
    with contextlib.chdir(home):
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S):
            exec(compile(block, str(PAGE), "exec"), names)
    return names


def test_training(names: dict[str, Any]) -> None:
    predictions, skeletons = names["predictions"], names["skeletons"]
    assert predictions["label"].tolist() == ["push", "wave_left"] and len(names["wrong"]) <= 2
    M, T, R, _ = skeletons.keypoints.shape
    assert M and (8, len(skeletons.joints)) == (T, R) and skeletons.times.shape == (8,)


def test_recognition(names: dict[str, Any]) -> None:
    assert set(names["segments"]["file"]) == {"one.mp4"} == set(names["windows"]["file"])
    assert 1 < names["seconds"].sum() < 5
    assert names["found"].windows.equals(names["windows"])


def test_stages_alone(names: dict[str, Any]) -> None:
    [row] = names["people"].to_dict("records")
    assert pd.isna(row["error"]) and row["persons"] >= 1 and row["layout"] == "coco17"


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", PAGE.read_text(encoding="utf-8")))
def test_links_lead_somewhere(link: str) -> None:
    assert (PAGE.parent / link).exists()
