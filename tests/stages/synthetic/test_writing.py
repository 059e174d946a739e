"""Files of the synthetic set: real H.264, the same bytes every time, and nothing half written."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import ManifestError
from stages.synthetic import writing
from stages.synthetic.clip import Clip, draw
from stages.synthetic.writing import Order, claim, write, write_missing


def order(folder: Path, action: str = "wave_left", number: int = 0) -> Order:
    return Order(Clip(3, "train", action, number, 64), folder / f"{number}.mp4", folder / f"{number}.npz")


def test_files_are_the_same_bytes_and_times_in_every_process(tmp_path: Path) -> None:
    """Also where memory holds other garbage than here, which shows whether an encoder reads what nobody wrote."""
    one, other = order(tmp_path / "a", "jumping_jack"), order(tmp_path / "b", "jumping_jack")
    write(one)
    code = """
import sys
from pathlib import Path
from stages.synthetic.clip import Clip
from stages.synthetic.writing import Order, write
folder = Path(sys.argv[1])
write(Order(Clip(3, "train", "jumping_jack", 0, 64), folder / "0.mp4", folder / "0.npz"))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "b")]
    subprocess.run(command, check=True, env={**os.environ, "MALLOC_PERTURB_": "165"})
    for a, b in ((one.video, other.video), (one.skeleton, other.skeleton)):
        assert a is not None and b is not None
        assert a.read_bytes() == b.read_bytes()
        assert a.stat().st_mtime_ns == b.stat().st_mtime_ns


def test_the_video_is_h264_and_shows_what_was_drawn(tmp_path: Path) -> None:
    written = order(tmp_path, "lift_box")
    write(written)
    drawn = draw(written.clip)
    with av.open(str(written.video)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].average_rate == drawn.fps
        images = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(images) == len(drawn.frames)
    assert max(np.abs(a.astype(int) - b).mean() for a, b in zip(images, drawn.frames, strict=True)) < 8
    assert written.skeleton is not None
    with np.load(written.skeleton, allow_pickle=False) as file:
        assert str(file["layout"]) == "coco17"
        assert file["keypoints"].dtype == np.float32
        assert (file["keypoints"] == drawn.keypoints).all()


def test_only_missing_files_are_written(tmp_path: Path) -> None:
    orders = [order(tmp_path, number=number) for number in range(3)]
    write_missing(orders)
    before = {path: path.stat().st_ino for path in tmp_path.iterdir()}
    assert len(before) == 6
    lost = [orders[0].video, orders[1].skeleton]
    for path in lost:
        assert path is not None
        path.unlink()
    write_missing(orders)
    after = {path: path.stat().st_ino for path in tmp_path.iterdir()}
    assert after.keys() == before.keys()
    assert after[orders[2].video] == before[orders[2].video]


def test_several_processes_write_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "FEW", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    write_missing([order(tmp_path / "many", number=number) for number in range(4)])
    write(order(tmp_path / "one"))
    for name in ("0.mp4", "0.npz"):
        assert (tmp_path / "many" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    assert len(list((tmp_path / "many").iterdir())) == 8


def test_a_failure_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.utime", full)
    with pytest.raises(OSError, match="no space"):
        write(order(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_folder_holds_one_data_set(tmp_path: Path) -> None:
    claim(tmp_path / "set", {"seed": 1})
    claim(tmp_path / "set", {"seed": 1})
    with pytest.raises(ManifestError, match="seed 1 instead of 2: choose another root"):
        claim(tmp_path / "set", {"seed": 2})
