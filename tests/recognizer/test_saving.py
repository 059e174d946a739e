import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from recognizer.skeletons import Layout, layout_text


def small(width: int = 8) -> Recognizer:
    return Recognizer(RecognizerConfig(class_names=("sit", "stand"), frames=4, size=32, width=width, search_kernel=3))


def test_batch_statistics_are_saved() -> None:
    recognizer, clips = small().train(), (torch.rand(2, 3, 4, 32, 32), torch.rand(2, 2, 4, 17, 3))
    recognizer(*clips)
    recognizer.eval()
    loaded = Recognizer.deserialize(*recognizer.serialize())
    torch.testing.assert_close(loaded(*clips), recognizer(*clips), rtol=0, atol=0)


def test_a_model_of_a_layout_of_ones_own_needs_nothing_else(tmp_path: Path) -> None:
    """Another process, in which nothing is known of the layout, loads the model and gets the same result."""
    own = Layout.from_names("bird", ["head", "tail", "left_wing", "right_wing"], [("head", "tail")])
    sizes = {"frames": 4, "size": 32, "width": 8, "search_kernel": 3, "window_joints": 2}
    recognizer = Recognizer(RecognizerConfig(class_names=("sit", "fly"), layout=layout_text(own), **sizes)).eval()
    recognizer.save_pretrained(tmp_path / "model")
    saved = json.loads((tmp_path / "model" / "config.json").read_text())
    assert saved["layout"] == own.definition()
    clips = (torch.rand(1, 3, 4, 32, 32), torch.rand(1, 2, 4, 4, 3))
    torch.save((clips, recognizer(*clips)), tmp_path / "expected.pt")
    program = """
import sys, torch
from recognizer import Recognizer
from recognizer.skeletons import layout
loaded = Recognizer.from_pretrained(sys.argv[1] + "/model")
clips, expected = torch.load(sys.argv[1] + "/expected.pt")
torch.testing.assert_close(loaded(*clips), expected, rtol=0, atol=0)
print(layout(loaded.config.layout).flip)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("(0, 1, 3, 2)\n", "")
    assert "coco17" in small().serialize()[0]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no config\.json"):
        Recognizer.from_pretrained(tmp_path)
    small().save_pretrained(tmp_path)
    config, weights = tmp_path / "config.json", tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=f"{tmp_path}: model.safetensors is damaged or not a safetensors file"):
        Recognizer.from_pretrained(tmp_path)
    weights.write_bytes(whole)
    small(width=16).save_pretrained(tmp_path / "other")
    config.write_text((tmp_path / "other" / "config.json").read_text())
    with pytest.raises(ValueError, match=r"model\.safetensors does not belong to this config\.json"):
        Recognizer.from_pretrained(tmp_path)
    config.write_text(config.read_text().replace('"width": 16', '"width": 4000000'))  # petabytes
    with pytest.raises(ValueError, match=r"model\.safetensors does not belong to this config\.json"):
        Recognizer.from_pretrained(tmp_path)
    config.write_text("{}")
    with pytest.raises(ValueError, match=r"not a recognizer's config.json"):
        Recognizer.from_pretrained(tmp_path)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=r"holds no model.safetensors"):
        Recognizer.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"format": 2}, "has format 2, but this version of action-pipeline reads formats up to 1"),
        ({"format": "one"}, "a whole number from 1 on is needed, not 'one'"),
        ({"telepathy": True}, r"parameters that this version does not know \(telepathy\): a newer version"),
    ],
)
def test_a_model_of_a_newer_version_says_so(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    small().save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    plain = json.loads(config.read_text())
    config.write_text(json.dumps(plain | {"format": 1}))
    assert Recognizer.from_pretrained(tmp_path).config == small().config
    config.write_text(json.dumps(plain | changes))
    with pytest.raises(ValueError, match=message):
        Recognizer.from_pretrained(tmp_path)


def test_a_name_that_cannot_be_downloaded_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        Recognizer.from_pretrained("not/a/folder")
