"""Frames in memory: the same are taken as of a file with these frames."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from trained_model import write_video

from pipeline.errors import ClipError
from stages.video.film import Film
from stages.video.passes import Clip, Encoding, read_clips
from stages.video.seen import as_seen
from stages.video.with_arrays import ArrayReader, read_array

ENCODING = Encoding(32, 90)


@pytest.mark.parametrize("frames", [1, 2, 7, 60])
def test_spans_of_an_array_are_those_of_a_file(tmp_path: Path, frames: int) -> None:
    path = tmp_path / "video" / "one.mp4"
    write_video(path, frames)
    with Film(str(path)) as film:
        images = np.stack([as_seen(one.frame, film.stream.sample_aspect_ratio) for one in film.pictures()])
    spans = [(None, None), (0.0, 0.04), (0.02, 0.5), (1.0, 2.4), (0.5, 9.0), (5.0, 6.0), (None, 1.0), (0.1, None)]
    for span in spans:  # one at a time: a file is read once for all
        [of_file] = read_clips(str(path), [span], 5, ENCODING)
        [of_array] = read_array(ArrayReader(images, 25), [span], 5, ENCODING)
        if isinstance(of_file, ClipError):
            assert of_array == {"error": str(of_file)}
            continue
        assert isinstance(of_file, Clip)
        assert of_array["frames"] == of_file.frames and of_array["indices"] == of_file.indices
        assert of_array["times"] == pytest.approx(of_file.times, abs=1e-6)
        size = of_file.height, of_file.width, of_file.source_height, of_file.source_width
        assert tuple(of_array[name] for name in ("height", "width", "source_height", "source_width")) == size
        assert of_array.get("source_frames") == of_file.source_frames


def test_colors_stay_in_order() -> None:
    red = np.zeros((3, 40, 40, 3), np.uint8)
    red[..., 0] = 250
    [row] = read_array(ArrayReader(red, 10), [(None, None)], 1, ENCODING)
    image = cv2.imdecode(np.frombuffer(row["frames"][0], np.uint8), cv2.IMREAD_COLOR_RGB)
    assert image.shape == (32, 32, 3) and np.abs(image.mean((0, 1)) - (250, 0, 0)).max() < 5
