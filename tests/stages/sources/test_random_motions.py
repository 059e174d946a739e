"""The source of random motions: its file, and what a run sees of it."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ManifestError
from stages.skeletons.skeleton_set import read_set
from stages.sources.random_motions import RandomMotions


def small(path: Path, **parameters: int) -> RandomMotions:
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
