from collections.abc import Callable

import cv2
import numpy as np
import pyarrow as pa
import pytest

from pipeline.errors import StageError
from pipeline.stage_inputs import VariantInputs
from stages.report.samples import FRAMES, SIDE, choose, draw


def chosen(variant: VariantInputs, count: int) -> list[tuple[str, str]]:
    return [(s.label, s.predicted) for s in choose(variant.clips, variant.inputs["predictions"], count)]


def test_half_are_wrong_and_every_kind_comes_before_any_twice(make_variant: Callable[..., VariantInputs]) -> None:
    kinds = chosen(make_variant(classes=("a", "b", "c", "d")), 8)
    assert all(label != predicted for label, predicted in kinds[:4])
    assert all(label == predicted for label, predicted in kinds[4:])
    assert {label for label, _ in kinds[:4]} == {label for label, _ in kinds[4:]} == {"a", "b", "c", "d"}


def test_too_few_of_one_kind_leave_room_for_the_other(make_variant: Callable[..., VariantInputs]) -> None:
    variant = make_variant(classes=("a", "b"))  # 4 right, 2 wrong
    kinds = chosen(variant, 6)
    assert sum(label != predicted for label, predicted in kinds) == 2
    assert len(kinds) == 6
    assert len(chosen(variant, 60)) == 6
    assert len(chosen(make_variant(classes=("a",)), 2)) == 2


def test_clips_without_a_label_are_not_shown(make_variant: Callable[..., VariantInputs]) -> None:
    variant = make_variant()
    nameless = variant.clips.set_column(
        variant.clips.column_names.index("label"), "label", pa.nulls(variant.clips.num_rows, pa.string())
    )
    assert choose(nameless, variant.inputs["predictions"], 4) == []


def test_a_strip_spans_the_clip_and_shows_the_skeleton(make_variant: Callable[..., VariantInputs]) -> None:
    shard = make_variant().inputs["shards"].read().to_pylist()[0]
    strip = draw(shard)
    assert len(strip.images) == FRAMES and strip.times[0] == 0.0 and strip.times[-1] == pytest.approx(0.7)
    bare = draw(shard | {"keypoints": None, "persons": None})
    for with_skeleton, without in zip(strip.images, bare.images, strict=True):
        image = cv2.imdecode(np.frombuffer(with_skeleton, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None and image.shape == (SIDE, SIDE, 3)
        assert with_skeleton != without


def test_pose_alone_and_short_clips(make_variant: Callable[..., VariantInputs]) -> None:
    shard = make_variant(pose_alone=True).inputs["shards"].read().to_pylist()[0]
    strip = draw(shard)
    assert len(strip.images) == FRAMES and strip.times is None
    single = np.frombuffer(shard["keypoints"], np.float16).reshape(1, 8, 17, 3)[:, :1].tobytes()
    assert len(draw(shard | {"keypoints": single}).images) == 1


def test_damaged_frames_are_named(make_variant: Callable[..., VariantInputs]) -> None:
    shard = make_variant().inputs["shards"].read().to_pylist()[0]
    with pytest.raises(StageError, match="--force"):
        draw(shard | {"frames": [b"no image"] * 8})
