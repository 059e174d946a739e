import base64
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.errors import StageError
from pipeline.stage_inputs import StageContext, TableFiles, VariantInputs
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.explanation.stage import Explain
from stages.tables import CLIPS, EXPLANATIONS, MODELS

HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture
def make_variant(
    made_set: Callable[..., tuple[pa.Table, TableFiles]],
    write_table: Callable[..., str],
    files_of: Callable[[Iterable[str]], TableFiles],
    tmp_path: Path,
) -> Callable[..., VariantInputs]:
    """The clips and shards of ``made_set`` with a small model for one of the modalities."""

    def make(modality: str = "rgb+pose", names: tuple[str, ...] = ("right", "down")) -> VariantInputs:
        torch.manual_seed(0)
        fields: dict[str, Any] = {
            "class_names": names,
            "modality": modality,
            "frames": 4,
            "size": 32,
            "width": 8,
            "blocks": 1,
        }
        config, weights = Recognizer(RecognizerConfig(**fields)).serialize()
        row = {"config": config, "weights": weights, "history": "[]"}
        model = write_table(tmp_path / f"{modality}.parquet", [row], MODELS.schema)
        clips, shards = made_set(12)
        return VariantInputs("", clips, {"models": files_of([model]), "shards": shards})

    return make


@pytest.mark.parametrize(
    "modality,drawn", [("rgb+pose", ["points", "joints"]), ("rgb", ["points"]), ("pose", ["joints"])]
)
def test_pictures_of_what_the_network_has(
    make_variant: Callable[..., VariantInputs], context: StageContext, tmp_path: Path, modality: str, drawn: list[str]
) -> None:
    stage = Explain(clips=("down/05", "right/00"))
    table = stage.run([make_variant(modality)], context)
    assert table.schema == EXPLANATIONS.schema
    rows = table.to_pylist()
    assert [(row["clip_id"], row["label"], row["error"]) for row in rows] == [
        ("down/05", "down", None),
        ("right/00", "right", None),
    ]
    assert rows[0]["names"] == [f"{kind}-1" for kind in drawn]
    stage.export(table, tmp_path, tmp_path / "runs/mine")
    files = sorted((tmp_path / "explain").glob("*.png"))
    assert [path.name for path in files] == sorted(
        f"{stem}-{name}.png" for stem in ("01-down-05", "02-right-00") for name in rows[0]["names"]
    )
    assert all(cv2.imread(str(path)).std() > 10 for path in files)
    page = (tmp_path / "explain/explanation.html").read_text()
    embedded = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert {base64.b64decode(image) for image in embedded} == {path.read_bytes() for path in files}
    assert "mine" in page and "://" not in page


def test_some_clips_of_the_split(make_variant: Callable[..., VariantInputs], context: StageContext) -> None:
    variant = make_variant("pose")
    assert Explain(samples=2).run([variant], context)["clip_id"].to_pylist() == ["down/05", "right/04"]
    in_turns = Explain(samples=3, split=None).run([variant], context)
    assert in_turns["clip_id"].to_pylist() == ["down/01", "right/00", "down/03"]


def test_what_cannot_be_explained(
    make_variant: Callable[..., VariantInputs], context: StageContext, tmp_path: Path
) -> None:
    variant = make_variant("pose", (HOSTILE, "down"))
    with pytest.raises(StageError, match="no clip 'up/00'"):
        Explain(clips=("up/00",)).run([variant], context)
    with pytest.raises(StageError, match="no clip of the split val has a shard"):
        Explain(split="val").run([variant], context)
    lost = variant.clips.to_pylist()[0] | {"clip_id": HOSTILE}
    clips = pa.concat_tables([variant.clips, pa.Table.from_pylist([lost], schema=CLIPS.schema)])
    stage = Explain(clips=(HOSTILE, "right/00"), out=tmp_path / "here")
    table = stage.run([variant._replace(clips=clips)], context)
    assert table["error"].to_pylist() == ["it has no shard: see `pipeline failures`", None]
    stage.export(table, tmp_path, tmp_path)
    page = (tmp_path / "here/explanation.html").read_text()
    assert "it has no shard" in page and "<script" not in page
    assert len([*(tmp_path / "here").glob("02-right-00-*.png")]) == 1


def test_models_that_do_not_load(
    make_variant: Callable[..., VariantInputs],
    write_table: Callable[..., str],
    files_of: Any,
    context: StageContext,
    tmp_path: Path,
) -> None:
    damaged = write_table(tmp_path / "no.parquet", [{"config": "{}", "weights": b""}], MODELS.schema)
    variant = make_variant()
    with pytest.raises(StageError, match="does not load"):
        Explain().run([variant._replace(inputs=variant.inputs | {"models": files_of([damaged])})], context)


def test_the_same_table_twice(make_variant: Callable[..., VariantInputs], context: StageContext) -> None:
    variant = make_variant()
    first, second = (Explain(samples=1).run([variant], context) for _ in range(2))
    assert first.equals(second)
    assert np.isfinite(first["probability"][0].as_py())
