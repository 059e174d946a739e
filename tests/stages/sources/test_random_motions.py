"""The source of random motions: its file, and what a run sees of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from capture_files import bvh, write_deepmimic

from pipeline.errors import ManifestError
from stages.skeletons.skeleton_set import read_set
from stages.sources.random_motions import RandomMotions


def small(path: Path, **parameters: Any) -> RandomMotions:
    return RandomMotions(file=path, **{"classes": 3, "clips_per_class": 2, "val_per_class": 1, **parameters})


def test_clips_are_listed_before_they_are_drawn_and_the_same_after(tmp_path: Path) -> None:
    source = small(tmp_path / "set.npz")
    planned = source.clips()
    assert not any(tmp_path.iterdir())
    [note] = source.check(planned, {})
    assert (note.fatal, note.text) == (False, "9 clips are not drawn yet: a run draws them first")
    source.create()
    clips = source.clips()
    assert list(source.check(clips, {})) == []
    assert clips["clip_id"].equals(planned["clip_id"])
    assert clips["label"].value_counts().to_pylist() == [{"values": f"motion {i:03}", "counts": 3} for i in range(3)]
    assert sorted(clips["split"].to_pylist()) == ["train"] * 6 + ["val"] * 3
    found = read_set(tmp_path / "set.npz")
    assert found.numbers.keys() == set(clips["skeleton_entry"].to_pylist())
    assert found.clip("train/000/0001").keypoints.shape == (2, 24, 17, 3)


def test_a_deleted_file_is_drawn_again_with_the_same_bytes_and_time(tmp_path: Path) -> None:
    source = small(tmp_path / "set.npz")
    source.create()
    before, table = (tmp_path / "set.npz").read_bytes(), source.clips()
    (tmp_path / "set.npz").unlink()
    source.create()
    assert (tmp_path / "set.npz").read_bytes() == before
    assert source.clips().equals(table)


def test_another_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    small(path).create()
    with pytest.raises(ManifestError, match=r"choose another file, or delete it"):
        small(path, seed=1).clips()
    np.savez(path, keypoints=np.zeros(3))
    with pytest.raises(ManifestError, match="no specification"):
        small(path).create()
    path.write_bytes(b"something")
    with pytest.raises(ManifestError, match="delete it"):
        small(path).create()
    assert path.read_bytes() == b"something"


def test_captured_motions_are_further_classes(tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    write_deepmimic(folder / "long.txt", frames=60)
    (folder / "more").mkdir()
    (folder / "more" / "stand.BVH").write_text(bvh())
    source = small(tmp_path / "set.npz", captures=folder)
    source.create()
    clips = source.clips()
    assert sorted(set(clips["label"].to_pylist())) == [f"motion {i:03}" for i in range(6)]
    assert list(source.check(clips, {})) == []
    small(tmp_path / "random.npz").create()
    found, random = read_set(tmp_path / "set.npz"), read_set(tmp_path / "random.npz")
    assert np.array_equal(found.clip("val/002/0000").keypoints, random.clip("val/002/0000").keypoints)
    still = found.clip("train/005/0001").keypoints[0]
    seen = still[..., 2].min(1) > 0
    assert seen.sum() > 5 and np.ptp(still[seen][..., :2], axis=0).max() < 0.2, "who is captured stands still"


def test_captures_that_change_are_other_skeletons(tmp_path: Path) -> None:
    file = write_deepmimic(tmp_path / "captures" / "a.txt")
    source = small(tmp_path / "set.npz", captures=tmp_path / "captures")
    source.create()
    file.write_text(file.read_text() + " ")
    with pytest.raises(ManifestError, match="choose another file, or delete it"):
        source.clips()
    with pytest.raises(ManifestError, match="choose another file, or delete it"):
        small(tmp_path / "set.npz").clips()


def test_files_without_a_persons_motion_are_left_out_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    folder.mkdir()
    source = small(tmp_path / "set.npz", captures=folder)
    with pytest.raises(ManifestError, match=r"captures: .* has no motion of a person: no \.bvh, \.txt, \.json file"):
        source.clips()
    (folder / "dog.txt").write_text(json.dumps({"Frames": [[0.1] * 20]}))
    with pytest.raises(ManifestError, match=r"has no motion of a person: .*dog\.txt cannot be read"):
        source.clips()
    write_deepmimic(folder / "a.txt")
    source.create()
    [note] = source.check(source.clips(), {})
    assert not note.fatal and "left out: " in note.text and "a frame of a person has 44 numbers, not 20" in note.text
    with pytest.raises(ManifestError, match="captures: there is no folder"):
        small(tmp_path / "set.npz", captures=tmp_path / "nowhere").clips()
