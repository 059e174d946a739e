"""When films and folders of images show their picture."""

from pathlib import Path

import cv2
import numpy as np
from video_files import write_video

from stages.video.extent import extent

STILL_FIRST = [0, *range(5000, 6040, 40)]


def test_a_film_whose_pictures_last_differently(tmp_path: Path) -> None:
    for name in ("a.mkv", "a.mp4"):
        film = write_video(tmp_path / name, count=len(STILL_FIRST), milliseconds=STILL_FIRST)
        found = extent(str(film))
        assert found is not None
        assert found[0] == 0 and abs(found[1] - 6.04) < 0.05


def test_images_are_shown_at_an_assumed_rate(tmp_path: Path) -> None:
    assert extent(str(tmp_path)) is None
    for i in range(45):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.zeros((4, 4, 3), np.uint8))
    assert extent(str(tmp_path)) == (0, 1.5)
    assert extent(str(tmp_path / "nothing")) is None
