"""Published weights: where they are kept, and how they are checked."""

import hashlib
from pathlib import Path

import pytest
import torch
from torchvision.models import get_model_weights

from pipeline.errors import StageError
from stages.pose.faster_rcnn import FasterRCNN, FasterRCNNMobileNet
from stages.pose.zoo import Published, cache_folder, copy, fetch, hub_file, is_here


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def two_files(tmp_path: Path) -> Published:
    """A model of two files, on a server that is a folder."""
    server = tmp_path / "server"
    server.mkdir()
    made = []
    for name in ("m.json", "m.bin"):
        (server / name).write_bytes(name.encode() * 1000)
        sha256 = hashlib.sha256((server / name).read_bytes()).hexdigest()
        made.append(Published((server / name).as_uri(), 0.1, sha256))
    return made[0]._replace(beside=(made[1],))


def test_the_cache_is_that_of_torch(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == cache == Path(torch.hub.get_dir()) / "checkpoints"
    monkeypatch.delenv("TORCH_HOME")
    for variable in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv("XDG_CACHE_HOME", "~/elsewhere")
        assert cache_folder() == Path(torch.hub.get_dir()) / "checkpoints"
        monkeypatch.delenv(variable, raising=False)
        assert cache_folder() == Path(torch.hub.get_dir()) / "checkpoints"


def test_all_files_are_downloaded_once(two_files: Published, cache: Path, tmp_path: Path) -> None:
    assert not is_here(two_files)
    assert fetch(two_files, "weights") == cache / "m.json"
    assert is_here(two_files)
    assert sorted(file.name for file in cache.iterdir()) == ["m.bin", "m.json"]
    for file in (tmp_path / "server").iterdir():
        file.unlink()
    assert fetch(two_files, "weights") == cache / "m.json"


def test_a_damaged_file_of_the_cache_is_downloaded_again(
    two_files: Published, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(two_files, "weights")
    (cache / "m.bin").write_bytes(b"m.bin" * 999)
    assert not is_here(two_files)
    fetch(two_files, "weights")
    assert is_here(two_files)
    assert f"{cache / 'm.bin'} is damaged; downloading m.bin" in capsys.readouterr().err

    (cache / "m.bin").write_bytes(b"")
    (tmp_path / "server" / "m.bin").unlink()
    with pytest.raises(StageError, match=r"could not download .*m\.json and .*m\.bin .* or give its path as weights"):
        fetch(two_files, "weights")


def test_a_download_with_another_hash_is_refused(two_files: Published, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "server" / "m.json").write_bytes(b"something else")
    with pytest.raises(StageError, match=r"m\.json arrived damaged or was replaced"):
        fetch(two_files, "weights")
    named = tmp_path / "model-01234567_2022.pth"
    named.write_bytes(b"something else")
    with pytest.raises(StageError, match="arrived damaged or was replaced"):
        fetch(Published(named.as_uri(), 1), "weights")
    assert not list(cache.iterdir())


def test_copies_are_checked_before_anything_is_copied(two_files: Published, cache: Path, tmp_path: Path) -> None:
    server, stick = tmp_path / "server", tmp_path / "stick"
    copy({"m": two_files}, server, stick)
    copy({"m": two_files}, stick)
    assert is_here(two_files)
    for file in cache.iterdir():
        file.unlink()
    (stick / "m.bin").write_bytes(b"cut off")
    with pytest.raises(StageError, match=rf"{stick / 'm.bin'} is damaged or another file"):
        copy({"m": two_files}, stick)
    copy({"m": two_files}, server, stick)
    others = {name: Published(f"{tmp_path.as_uri()}/{name}.onnx", 1) for name in ("n", "o")}
    remedy = f"on a machine with a network, pipeline models get n o --to {stick} brings what is missing"
    with pytest.raises(StageError, match=f"^{stick} lacks n.onnx, o.onnx: {remedy}$"):
        copy({"m": two_files} | others, stick)
    assert not list(cache.iterdir())


def test_files_of_the_same_name_lie_in_folders_of_their_models(
    two_files: Published, cache: Path, tmp_path: Path
) -> None:
    named = two_files._replace(folder="m", beside=tuple(file._replace(folder="m") for file in two_files.beside))
    assert fetch(named, "weights") == cache / "m" / "m.json"
    copy({"m": named}, cache, tmp_path / "stick")
    assert sorted(file.name for file in (tmp_path / "stick" / "m").iterdir()) == ["m.bin", "m.json"]
    assert is_here(named) and not is_here(two_files)
    assert [file.name for file in named.known_files] == ["m.json", "m.bin"]


def test_a_file_of_a_hub_is_that_of_one_revision() -> None:
    file = hub_file("someone/network", "0123abc", "model.safetensors", 1, "ff")
    assert file.url == "https://huggingface.co/someone/network/resolve/0123abc/model.safetensors"
    assert file.path == cache_folder() / "network" / "model.safetensors"


@pytest.mark.parametrize("detector", [FasterRCNN, FasterRCNNMobileNet])
def test_torchvisions_weights_are_where_torchvision_says(detector: type[FasterRCNN]) -> None:
    weights = get_model_weights(detector.model_name)["COCO_V1"]
    assert detector.published().url == weights.url
    assert detector.published().megabytes == round(weights.meta["_file_size"])
    assert detector.card is not None
    assert str(weights.meta["_metrics"]["COCO-val2017"]["box_map"]) in detector.card.accuracy


def test_other_folders_get_what_the_cache_has(two_files: Published, cache: Path, tmp_path: Path) -> None:
    fetch(two_files, "weights")
    for file in (tmp_path / "server").iterdir():
        file.unlink()
    assert fetch(two_files, "weights", tmp_path / "stick") == tmp_path / "stick" / "m.json"
    assert sorted(file.name for file in (tmp_path / "stick").iterdir()) == ["m.bin", "m.json"]
    (cache / "m.bin").write_bytes(b"damaged")
    with pytest.raises(StageError, match="weights"):
        fetch(two_files, "weights", tmp_path / "other")
