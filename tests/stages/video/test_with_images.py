"""Folders of images as clips."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest

from pipeline import patience
from pipeline.errors import ClipError
from stages.tables import CLIPS
from stages.video.stage import Decode


def write_images(folder: Path, count: int, name: str = "{:d}.png") -> Path:
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / name.format(number)), np.full((32, 48, 3), 10 * number, np.uint8))
    return folder


def decode(folder: Path, **span: float) -> dict:
    stage = Decode(frames=4)
    clip = {"clip_id": "a", "source": "", "path": str(folder)} | span
    [row] = stage.process(pa.Table.from_pylist([clip], schema=CLIPS.schema), {}, stage.load({})).to_pylist()
    if row["error"]:
        raise ClipError(row["error"])
    return row


def test_images_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    row = decode(write_images(tmp_path / "0001", 12))
    assert row["indices"] == [1, 4, 7, 10]
    assert row["times"] == pytest.approx([1 / 30, 4 / 30, 7 / 30, 10 / 30])
    assert (row["reader"], row["height"], row["width"]) == ("images", 32, 48)
    shades = [int(cv2.imdecode(np.frombuffer(jpeg, np.uint8), 0).mean().round()) for jpeg in row["frames"]]
    assert shades == [10, 40, 70, 100]


def test_spans_count_thirty_images_per_second(tmp_path: Path) -> None:
    assert decode(write_images(tmp_path / "0001", 24, "img_{:05d}.jpg"), start=0.4, end=0.8)["indices"] == [
        13,
        16,
        19,
        22,
    ]


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClipError, match="the folder holds no images"):
        decode(tmp_path / "empty")
    folder = write_images(tmp_path / "0001", 4)
    (folder / "2.png").write_bytes(b"")
    with pytest.raises(ClipError, match=r"frame 2, 2\.png, cannot be read as an image"):
        decode(folder)
    cv2.imwrite(str(folder / "2.png"), np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(ClipError, match=r"frame 2, 2\.png, is 16 x 16 pixels, but the frames before it are 48 x 32"):
        decode(folder)


def test_a_disk_that_fails_is_not_the_images_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux answers EIO to whoever reads the beginning of this file. It is tried again in vain."""
    monkeypatch.setattr(patience, "PAUSES", (0.0, 0.0))
    folder = write_images(tmp_path / "0001", 4)
    (folder / "2.png").unlink()
    (folder / "2.png").symlink_to("/proc/self/mem")
    patience.take_overcome()
    with pytest.raises(ClipError, match=r"the disk fails: \[Errno 5\] Input/output error"):
        decode(folder)
    assert len(patience.take_overcome()) == 2


def test_leftovers_are_no_images(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "0001", 4)
    for name in ("._1.png", ".thumbnail.png", "Thumbs.db", "~$2.png"):
        (folder / name).write_text("no image")
    assert decode(folder)["source_frames"] == 4
