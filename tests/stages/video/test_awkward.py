"""Real files of kinds that go wrong elsewhere, and what is right for each. Every frame shows its own number."""

import importlib.util
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pyarrow as pa
import pytest

from stages.sources.videos import Videos
from stages.tables import CLIPS
from stages.video.stage import Decode

T = 16

FILES = {
    "v01_no_index/camcorder.mts": range(300),
    "v01_no_index/recording.ts": range(300),
    "v01_no_index/old.mpg": range(90),
    "v01_no_index/old.asf": range(90),
    "v02_avi_h264/dashcam.avi": range(90),
    "v02_avi_h264/recorder.avi": range(200),
    "v02_avi_h264/packed.avi": range(88),
    "v03_intra_refresh/drone.mov": range(150),
    "v03_intra_refresh/drone.mp4": range(150),
    "v04_joined/joined.ts": range(120),
    "v05_segment/segment.ts": range(30, 60),
    "v05_segment/middle_of_group.ts": range(30, 150),
    "v05_segment/cut_without_coding.mkv": range(20, 90),
    "v06_dropped_frames/capture.avi": [number for number in range(90) if number % 5],
    "v06_dropped_frames/capture_b.avi": [number for number in range(90) if number % 5],
    "v07_edit_lists/trimmed_end.mp4": range(120),
    "v08_cover/cover_first.mp4": range(60),
    "v09_two_streams/preview_first.mkv": range(60),
    "v09_two_streams/preview_first.mp4": range(60),
    "v10_mirrored/front_camera.mp4": range(60),
    "v11_late_start/late.mkv": range(300),
    "v11_late_start/late.mp4": range(300),
    "v12_longer_than_its_frames/sound_longer.flv": range(120),
    "v12_longer_than_its_frames/sound_longer.mkv": range(120),
    "v13_no_duration/browser.webm": range(450),
    "v14_size_changes/call.ts": range(90),
    "v14_size_changes/call_turned.ts": range(90),
    "v15_program_stream/camera.mpg": range(90),
    "v15_program_stream/cd.mpg": range(90),
    "v15_program_stream/recorder_h264.vob": range(90),
    "v16_pixels_not_square/anamorphic.mp4": range(30),
    "v16_pixels_not_square/tall_pixels.mp4": range(30),
    "v17_palette/lab.avi": range(12),
}
"""The numbers that the frames of each file show, in order."""


@pytest.fixture(scope="module")
def awkward(shared_data: Path) -> Path:
    return shared_data / "awkward"


@pytest.fixture(scope="module")
def coded_frames(awkward: Path) -> ModuleType:
    """What reads the number out of a frame; it lies beside the files."""
    spec = importlib.util.spec_from_file_location("coded_frames", awkward / "coded_frames.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def decode(path: Path, start: float | None = None, end: float | None = None) -> dict:
    clip = {"clip_id": "a", "source": "", "path": str(path), "start": start, "end": end}
    [row] = Decode(frames=T).process(pa.Table.from_pylist([clip], CLIPS.schema), {}, None).to_pylist()
    return row


def images(row: dict) -> list[np.ndarray]:
    return [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB) for jpeg in row["frames"]]


@pytest.mark.parametrize("name", FILES)
def test_the_right_frames(name: str, awkward: Path, coded_frames: ModuleType) -> None:
    row = decode(awkward / name)
    assert row["error"] is None
    shown = list(FILES[name])
    read = [coded_frames.read(image) for image in images(row)]
    assert [number for number, _, _ in read] == [shown[index] for index in row["indices"]]
    way = "mirrored left-right" if "mirrored" in name else "upright"
    assert {orientation for _, orientation, _ in read} == {way}
    # Evenly spread in time, of which dropped frames have their share.
    span = (0, 90) if "dropped" in name else (shown[0], shown[-1] + 1)
    even = span[0] + (np.arange(T) + 0.5) / T * (span[1] - span[0])
    assert np.abs(np.array([number for number, _, _ in read]) - even).max() <= 2
    assert len({image.shape for image in images(row)}) == 1
    unusual = "joined" in name or "size_changes" in name
    assert bool(row["warning"]) == unusual


def test_pixels_are_made_square(awkward: Path) -> None:
    folder = awkward / "v16_pixels_not_square"
    assert images(decode(folder / "anamorphic.mp4"))[0].shape == (96, 307, 3)
    height, width, _ = images(decode(folder / "tall_pixels.mp4"))[0].shape
    assert height == width


def test_times_are_those_of_a_player(awkward: Path, coded_frames: ModuleType) -> None:
    for name in ("late.mp4", "late.mkv"):
        whole = decode(awkward / "v11_late_start" / name)
        assert whole["times"][0] == pytest.approx(2 + 9 / 30, abs=0.05)
        numbers = [coded_frames.read(image)[0] for image in images(decode(awkward / "v11_late_start" / name, 3, 4))]
        assert min(numbers) >= 29 and max(numbers) <= 60
    still = decode(awkward / "v12_longer_than_its_frames" / "still_screen.mp4", 4.0, 8.0)
    assert set(still["indices"]) == {29}
    assert [coded_frames.read(image)[0] for image in images(still)] == [29] * T


def test_what_is_encrypted_is_called_so(awkward: Path) -> None:
    assert "encrypted" in decode(awkward / "v18_encrypted" / "protected.mp4")["error"]


@pytest.mark.parametrize(
    ("name", "windows", "first", "last"),
    [
        ("v12_longer_than_its_frames/sound_longer.mkv", 3, 0.0, 4.0),
        ("v12_longer_than_its_frames/sound_longer.flv", 3, 0.0, 4.0),
        ("v13_no_duration/browser.webm", 14, 0.0, 15.0),
        ("v11_late_start/late.mp4", 9, 2.0, 12.0),
        ("v04_joined/joined.ts", 3, 0.0, 4.0),
        ("v15_program_stream/recorder_h264.vob", 2, 0.0, 3.0),
    ],
)
def test_windows_where_there_is_picture(name: str, windows: int, first: float, last: float, awkward: Path) -> None:
    rows = Videos(root=awkward / name, window=2).clips().to_pylist()
    assert (len(rows), rows[0]["start"], rows[-1]["end"]) == (windows, first, pytest.approx(last, abs=0.002))
    table = Decode(frames=4).process(Videos(root=awkward / name, window=2).clips(), {}, None)
    assert table["error"].null_count == windows
