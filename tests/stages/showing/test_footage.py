"""Pictures of files and of folders of images, as they are to be seen."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import ClipError
from stages.showing.footage import Footage, fitted, scaled
from tests.plugins.video_files import number_of, numbered_frame, truncated, turned, write_video


def test_every_frame_with_its_time(tmp_path: Path) -> None:
    milliseconds = [0, 40, 80, 500, 540, 2000]
    footage = Footage(write_video(tmp_path / "a.mkv", 6, milliseconds=milliseconds))
    seen = list(footage.pictures())
    assert [number_of(one.image) for one in seen] == list(range(6))
    assert [one.time for one in seen] == pytest.approx([ms / 1000 for ms in milliseconds])
    assert footage.expected() == 6
    assert footage.notes == []
    assert len(list(footage.pictures())) == 6, "it can be gone through again"


def test_upright(tmp_path: Path) -> None:
    path = turned(write_video(tmp_path / "a.mp4", 3), tmp_path / "turned.mp4", 90)
    images = [one.image for one in Footage(path).pictures()]
    assert images[0].shape == (128, 96, 3)
    assert [number_of(np.rot90(image)) for image in images] == [0, 1, 2]


def test_a_folder_of_images(tmp_path: Path) -> None:
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"img_{i:05}.png"), numbered_frame(i))
    footage = Footage(tmp_path)
    assert [number_of(one.image) for one in footage.pictures()] == [0, 1, 2]
    assert footage.expected() == 3
    assert [one.until for one in footage.pictures()] == pytest.approx([1 / 30, 2 / 30, 3 / 30])


def test_what_there_is_of_a_file_that_was_cut_off(tmp_path: Path) -> None:
    path = truncated(write_video(tmp_path / "a.avi", 40, codec="mpeg4"), tmp_path / "cut.avi")
    footage = Footage(path)
    seen = list(footage.pictures())
    assert 0 < len(seen) < 40
    assert any("cut off or broken after frame" in note for note in footage.notes)


def test_no_film(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("not a video")
    with pytest.raises(ClipError, match="text file"):
        list(Footage(tmp_path / "a.mp4").pictures())


def test_sizes() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    assert scaled(image, 0.5) == (30, 20)
    assert scaled(image, 0.001) == (1, 1)
    assert fitted(image, (60, 40)) is image
    assert fitted(image, (90, 20)).shape == (20, 90, 3)
