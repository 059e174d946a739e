"""PennAction's label files as an index."""

from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest
from scipy.io import savemat

from pipeline.errors import ManifestError
from stages.sources.pennaction import PennAction


def write_labels(root: Path, clips: list[tuple[str, int]]) -> None:
    (root / "labels").mkdir(parents=True)
    for number, (action, train) in enumerate(clips, 1):
        savemat(root / "labels" / f"{number:04}.mat", {"action": action, "train": train})


def test_the_official_split(tmp_path: Path) -> None:
    write_labels(tmp_path, [("squat", 1), ("bowl", -1), ("squat", 1)])
    first, second, third = PennAction(root=tmp_path).clips().to_pylist()
    assert [first["clip_id"], second["clip_id"]] == ["0001", "0002"]
    assert [row["label"] for row in (first, second, third)] == ["squat", "bowl", "squat"]
    assert [row["split"] for row in (first, second, third)] == ["train", "test", "train"]
    assert first["skeleton_path"] == str(tmp_path / "labels" / "0001.mat")
    assert first["skeleton_source"] != "missing"
    assert (first["path"], first["source"]) == (str(tmp_path / "frames" / "0001"), "missing")


def test_validation_clips_are_cut_from_training_class_by_class(tmp_path: Path) -> None:
    write_labels(tmp_path, [(action, train) for action in ("squat", "bowl") for train in (1, 1, -1, 1, 1, -1, 1)])
    rows = PennAction(root=tmp_path, val_share=0.4).clips().to_pylist()
    splits = Counter((row["label"], row["split"]) for row in rows)
    assert set(splits.values()) == {2, 3}
    assert all(splits[action, "val"] == splits[action, "test"] == 2 for action in ("squat", "bowl"))


def test_validation_clips_that_follow_each_other_stay_together(tmp_path: Path) -> None:
    """As clips of one video do; a run validates where that brings its class nearer to its share."""
    runs = (4, 2, 1, 5, 2, 2, 4)
    trains = [train for run in runs for train in (*[1] * run, -1)]
    write_labels(tmp_path, [("squat", train) for train in trains])
    splits = PennAction(root=tmp_path, val_share=0.3).clips()["split"].to_pylist()
    found = [(split, len(list(run))) for split, run in groupby(splits) if split != "test"]
    assert found == [("train", 4), ("val", 2), ("train", 1), ("train", 5), ("val", 2), ("train", 2), ("val", 4)]
    assert set(PennAction(root=tmp_path).clips()["split"].to_pylist()) == {"train", "test"}


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no label files in"):
        PennAction(root=tmp_path).clips()
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "0001.mat").write_text("no MATLAB file")
    with pytest.raises(ManifestError, match=r"0001\.mat is not a label file of PennAction"):
        PennAction(root=tmp_path).clips()


def test_the_real_labels(shared_data: Path) -> None:
    source = PennAction(root=shared_data / "pennaction")
    clips = source.clips()
    assert Counter(clips["split"].to_pylist()) == source.published() == {"train": 1258, "test": 1068}
    assert len(set(clips["label"].to_pylist())) == 15


def test_hidden_files_are_no_labels(tmp_path: Path) -> None:
    write_labels(tmp_path, [("squat", 1), ("bowl", -1)])
    (tmp_path / "labels" / "._0001.mat").write_bytes(b"\x00\x05\x16\x07")
    assert PennAction(root=tmp_path).clips()["clip_id"].to_pylist() == ["0001", "0002"]
