from pathlib import Path

import pytest

from pipeline.errors import ManifestError
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.commands.model_folder import model_folder


def save(folder: Path) -> Path:
    config = RecognizerConfig(class_names=("sit", "wave"), modality="pose", width=8, frames=6, size=32, blocks=1)
    Recognizer(config).save_pretrained(folder)
    return folder


def test_runs_variants_and_folders_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for run in ("one", "many", "none"):
        (Path("runs") / run).mkdir(parents=True)
        (Path("runs") / run / "manifest.json").write_text("{}")
    one = save(Path("runs/one/model"))
    for text in ("one", "runs/one", "runs/one/model"):
        assert model_folder(text) == one
    assert model_folder(str(save(tmp_path / "saved"))) == tmp_path / "saved"
    variant = save(Path("runs/many/variants/fold=1/model"))
    assert model_folder("runs/many/variants/fold=1") == variant
    with pytest.raises(ManifestError, match=r"several models; name one: runs/many/variants/fold=1"):
        model_folder("many")
    with pytest.raises(ManifestError, match="no trained model yet"):
        model_folder("none")
    (one / "model.safetensors").unlink()
    with pytest.raises(ManifestError, match=r"lacks model\.safetensors"):
        model_folder("one")
    with pytest.raises(ManifestError, match="nor is it the folder of a model"):
        model_folder("nothing")


@pytest.mark.parametrize("downloaded", [True, False])
def test_offline_a_model_of_the_hub_comes_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, downloaded: bool
) -> None:
    """The cache is laid out as huggingface_hub lays it out."""
    import huggingface_hub.constants

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    commit = "0" * 40
    cached = tmp_path / "hub" / "models--somebody--waving"
    if not downloaded:
        with pytest.raises(ManifestError, match="cannot be reached"):
            model_folder("somebody/waving")
        return
    save(cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    assert model_folder("somebody/waving") == cached / "snapshots" / commit
