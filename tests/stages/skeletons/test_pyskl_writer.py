"""Pickles that pyskl and MMAction2 can read, as far as their loaders look."""

import copy
import pickle
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recognizer.skeletons import COCO17, NTU25, Layout
from stages.skeletons.exported_clips import ExportedClip
from stages.skeletons.formats import read_skeletons
from stages.skeletons.pyskl import open_pyskl
from stages.skeletons.pyskl_writer import write_pyskl

RNG = np.random.default_rng(0)
CLASSES = ["jump", "run"]


def clip(name: str, label: str, split: str | None, frames: int = 12, layout: Layout = COCO17) -> ExportedClip:
    keypoints = RNG.uniform(0.1, 99, (2, frames, layout.count, 3)).astype(np.float32)
    keypoints[..., 2] /= 100
    keypoints[1, 3:5] = 0
    return ExportedClip(name, label, split, keypoints, layout, 160, 120)


CLIPS = [
    clip("jump/a.mp4", "jump", "train"),
    clip("run/b.mp4", "run", "train", frames=60),
    clip("jump/ä.mp4", "jump", "test", layout=NTU25),
    clip("run/d.mp4", "run", None),
]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    assert write_pyskl(tmp_path / "out.pkl", iter(CLIPS), CLASSES) == len(CLIPS)
    return tmp_path / "out.pkl"


def test_what_is_written_is_read_again(written: Path) -> None:
    read = open_pyskl(written)
    assert read.splits == {"train": ["jump/a.mp4", "run/b.mp4"], "test": ["jump/ä.mp4"]}
    assert [one["label"] for one in read.annotations.values()] == [0, 1, 0, 1]
    for wanted in CLIPS:
        found = read_skeletons(written, wanted.clip_id)
        assert (found.layout, found.size) == (wanted.layout, (160, 120))
        np.testing.assert_array_equal(found.keypoints, wanted.keypoints_MTR3)
    assert written.with_suffix(".labels.txt").read_text() == "jump\nrun\n"


def loaded(path: Path, split: str) -> list[dict[str, Any]]:
    """What the two PoseDataset classes do with a file, given a split."""
    assert str(path).endswith(".pkl")
    data = pickle.loads(path.read_bytes())
    chosen, data = set(data["split"][split]), data["annotations"]
    identifier = "filename" if "filename" in data[0] else "frame_dir"
    return [one | {"frame_dir": f"prefix/{one['frame_dir']}"} for one in data if one[identifier] in chosen]


def test_the_loaders_of_mmaction2_and_pyskl_find_what_they_look_for(written: Path) -> None:
    assert [one["frame_dir"] for one in loaded(written, "test")] == ["prefix/jump/ä.mp4"]
    for item, wanted in zip(loaded(written, "train"), CLIPS[:2], strict=True):
        results = copy.deepcopy(item)
        keypoint, score = results["keypoint"], results["keypoint_score"]
        people, frames, joints, axes = keypoint.shape
        # UniformSampleFrames
        assert results["total_frames"] == frames
        assert [bool(np.all(np.abs(keypoint[1, t]) < 1e-5)) for t in range(6)] == [False] * 3 + [True] * 2 + [False]
        # PreNormalize2D of pyskl, in place and before PoseDecode
        assert keypoint.flags.writeable
        # PoseDecode
        indices = np.arange(results["total_frames"])
        keypoint, score = keypoint[:, indices].astype(np.float32), score[:, indices].astype(np.float32)
        # GenSkeFeat and FormatGCNInput put the scores behind the coordinates
        assert (axes, joints) == (2, 17)
        assert np.concatenate([keypoint, score[..., None]], -1).shape == (people, frames, 17, 3)
        # PreNormalize2D, PoseCompact and GeneratePoseTarget
        height, width = results["img_shape"]
        assert (height, width) == tuple(results["original_shape"]) == (120, 160)
        keypoint[..., 0] = (keypoint[..., 0] - (width / 2)) / (width / 2)
        np.testing.assert_allclose(keypoint[..., 0], wanted.keypoints_MTR3[..., 0] / 80 - 1, atol=1e-6)
        # the metrics
        assert type(results["label"]) is int


def test_numpy_1_finds_its_functions(written: Path) -> None:
    """pyskl needs a version that has no module numpy._core."""
    assert b"_core" not in written.read_bytes()
    assert b"numpy.core.multiarray" in written.read_bytes()


def test_one_clip_at_a_time_is_in_memory(tmp_path: Path) -> None:
    def many() -> Iterator[ExportedClip]:
        yield from (clip(str(i), "run", "train", frames=1000) for i in range(200))

    tracemalloc.start()
    write_pyskl(tmp_path / "out.pkl", many(), CLASSES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "out.pkl").stat().st_size > 70_000_000
    assert peak < 10_000_000


def test_an_interrupted_export_leaves_the_former_file(written: Path) -> None:
    before = written.read_bytes()

    def broken() -> Iterator[ExportedClip]:
        yield CLIPS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pyskl(written, broken(), CLASSES)
    assert written.read_bytes() == before
    assert {path.name for path in written.parent.iterdir()} == {"out.pkl", "out.labels.txt"}
