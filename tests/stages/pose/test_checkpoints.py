"""Checkpoints as they are, and as an attacker would write them."""

import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import StageError
from stages.pose.checkpoints import load_checkpoint


class HistoryBuffer:
    """As mmengine's: holds arrays, and functions by name."""

    def __init__(self) -> None:
        self.log_history = np.arange(3.0)
        self.statistics_methods = {"mean": HistoryBuffer.mean}

    def mean(self) -> float:
        return float(self.log_history.mean())


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> HistoryBuffer:
    """A log whose class is pickled under the name that it has in mmengine."""
    module = types.ModuleType("mmengine.logging.history_buffer")
    module.HistoryBuffer = HistoryBuffer  # type: ignore[attr-defined]
    for name in ("mmengine", "mmengine.logging"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(HistoryBuffer, "__module__", module.__name__)
    return HistoryBuffer()


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the pickle in a checkpoint."""
    with zipfile.ZipFile(path) as old:
        content = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, data in content.items():
            new.writestr(name, change(data) if name.endswith("data.pkl") else data)


@pytest.mark.parametrize("core", [b"numpy._core", b"numpy.core"])
def test_training_logs_are_left_out(history: HistoryBuffer, tmp_path: Path, core: bytes) -> None:
    path = tmp_path / "a.pth"
    meta = {"flip_indices": [1, 0], "colors": np.zeros((2, 3), np.uint8), "sigma": np.float32(0.5)}
    weights = torch.arange(4.0).reshape(2, 2)
    torch.save({"state_dict": {"w": weights}, "meta": meta, "message_hub": {"loss": history}}, path)
    rewrite(path, lambda data: data.replace(b"numpy._core", core))
    for name in ("mmengine.logging.history_buffer", "mmengine.logging", "mmengine"):
        del sys.modules[name]
    content = load_checkpoint(path)
    assert torch.equal(content["state_dict"]["w"], weights)
    assert content["meta"]["flip_indices"] == [1, 0]
    assert vars(content["message_hub"]["loss"]) == {}


class Call:
    """Unpickles by calling a function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "a.pth", tmp_path / "ran"
    torch.save({"state_dict": {}, "meta": Call(exec, f"open({str(trace)!r}, 'w')")}, path)
    with pytest.raises(StageError, match=r"a\.pth cannot be read .* of plain weights: .*exec"):
        load_checkpoint(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()  # otherwise


def test_getattr_finds_nothing(tmp_path: Path) -> None:
    """An attacker would reach any function with it, from an object that is allowed."""
    torch.save({"state_dict": {}, "found": Call(getattr, torch.Tensor, "__init__")}, tmp_path / "a.pth")
    assert vars(load_checkpoint(tmp_path / "a.pth")["found"]) == {}


def test_other_contents_and_damage(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "a.pth")
    assert load_checkpoint(tmp_path / "a.pth") == {}
    (tmp_path / "a.pth").write_text("not a checkpoint")
    with pytest.raises(StageError, match=r"a\.pth cannot be read as a PyTorch checkpoint"):
        load_checkpoint(tmp_path / "a.pth")
