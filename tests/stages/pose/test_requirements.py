"""Weights and detectors that cannot be had are named before anything is decoded, all at once."""

from pathlib import Path

import pyarrow as pa
import pytest

from stages.pose.faster_rcnn import FasterRCNN
from stages.pose.hrnet import SMALL, HRNetW32
from stages.pose.stage import Pose
from stages.pose.zoo import Published
from stages.tables import CLIPS

# The hash of an empty file.
HRNET = Published("http://127.0.0.1:9/hrnet-e3b0c442_1.pth", 114)
RCNN = Published("http://127.0.0.1:9/rcnn-e3b0c442.pth", 167.1)


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and weights of a server that is not there."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(HRNetW32, "weights", {SMALL: HRNET})
    monkeypatch.setattr(FasterRCNN, "published", classmethod(lambda cls: RCNN))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "hub" / "checkpoints"


def clips(*skeletons: str | None) -> pa.Table:
    rows = [{"clip_id": str(i), "source": "1:1", "path": "/v.mp4", "skeleton_path": s} for i, s in enumerate(skeletons)]
    return pa.Table.from_pylist(rows, CLIPS.schema)


@pytest.mark.parametrize("fetch", [True, False])
def test_all_that_is_missing_is_named_at_once_with_its_size(fetch: bool, nowhere: Path) -> None:
    first, second = Pose().prepare(clips(None, "/s.npz"), fetch)
    assert first.fatal and second.fatal
    assert first.text.startswith(f"could not download {HRNET.url} (114 MB): ")
    assert first.text.endswith(f"copy that file to {nowhere / 'hrnet-e3b0c442_1.pth'}, or give its path as weights")
    assert second.text.startswith(f"could not download {RCNN.url} (167 MB): ")
    assert second.text.endswith("or give its path as detector_weights")


def test_what_is_not_needed_is_not_asked_for(nowhere: Path) -> None:
    assert list(Pose().prepare(clips("/s.npz"), fetch=True)) == []
    assert len(list(Pose(detector="whole_frame").prepare(clips(None), fetch=True))) == 1
    for published in (HRNET, RCNN):
        (nowhere / published.url.rpartition("/")[2]).touch()
    assert list(Pose().prepare(clips(None), fetch=True)) == []


def test_a_server_that_answers_is_noted_with_what_will_be_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/hrnet-e3b0c442_1.pth"
        monkeypatch.setattr(HRNetW32, "weights", {SMALL: Published(url, 114)})
        [note] = Pose(detector="whole_frame").prepare(clips(None), fetch=False)
    assert (note.fatal, note.text) == (False, f"114 MB will be downloaded: {url}")


def test_a_detector_that_does_not_import(monkeypatch: pytest.MonkeyPatch) -> None:
    [problem] = Pose(estimator="hrnet_mini", detector="not_there:Detector").prepare(clips(None), fetch=False)
    assert problem.fatal
    assert problem.text.startswith("detector: not_there:Detector cannot be imported: ModuleNotFoundError")
