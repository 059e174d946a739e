"""HRNet on timm's bodies."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.hrnet_parity import BODIES, relative_error
from pipeline.errors import StageError
from stages.pose.hrnet import HRNetW32
from stages.pose.hrnet_network import HRNet, load_hrnet
from stages.pose.zoo import fetch


@pytest.fixture(scope="module")
def model() -> HRNet:
    torch.manual_seed(0)
    return HRNet("hrnet_w32", 17).eval()


@pytest.mark.parametrize("body", BODIES)
def test_heatmaps_are_those_of_mmpose(shared_data: Path, body: str) -> None:
    assert relative_error(body, shared_data / "hrnet_parity" / BODIES[body]) <= 1e-5


@pytest.mark.parametrize(
    ("backbone", "head"),
    [("backbone.", "head.final_layer."), ("backbone.", "keypoint_head.final_layer."), ("", "final_layer.")],
)
def test_checkpoints_of_all_three_origins_are_read(model: HRNet, tmp_path: Path, backbone: str, head: str) -> None:
    state = {
        name.replace("backbone.", backbone).replace("final_layer.", head): value
        for name, value in model.state_dict().items()
    }
    history = {"loss": np.float64(0.5), "curve": np.arange(3)}
    content = {"state_dict": state, "meta": {"hooks": history}} if backbone else state
    torch.save(content, tmp_path / "a.pth")
    loaded = load_hrnet("hrnet_w32", tmp_path / "a.pth", 17).state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in model.state_dict().items())


def test_other_files_are_refused_by_name(model: HRNet, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save(model.state_dict(), path)
    with pytest.raises(StageError, match=r"a\.pth is not a checkpoint of hrnet_w32 with 16 joints: it has final_layer"):
        load_hrnet("hrnet_w32", path, 16)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(StageError, match=r"checkpoint of hrnet_w32 with 17 joints: it lacks backbone\.bn1\.bias"):
        load_hrnet("hrnet_w32", path, 17)
    path.write_text("not a checkpoint")
    with pytest.raises(StageError, match=r"a\.pth cannot be read as a PyTorch checkpoint"):
        load_hrnet("hrnet_w32", path, 17)


def test_weights_come_from_the_cache_and_a_failed_download_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    published = HRNetW32.published((256, 192))
    url = published.url.replace("https://download.openmmlab.com", "http://127.0.0.1:9")
    nowhere = published._replace(url=url)
    with pytest.raises(StageError, match=r"127\.0\.0\.1:9/.*81c58e40.* \(114 MB\).*or give its path as weights"):
        fetch(nowhere, "weights")
    cached = tmp_path / "hub" / "checkpoints" / url.rsplit("/", 1)[1]
    assert nowhere.path == cached
