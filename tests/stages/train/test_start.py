from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from pipeline.errors import ManifestError
from pipeline.keys import stage_identity
from recognizer.config import NetworkConfig, RecognizerConfig
from recognizer.model import Recognizer
from stages.tables import CLIPS
from stages.train.stage import Train
from stages.train.start import differences, model_files

TINY = {"width": 4, "size": 16, "heads": 2, "blocks": 1}


def save(folder: Path, **change: object) -> Path:
    """Save a model of the classes right and up, and return its folder."""
    Recognizer(RecognizerConfig(class_names=("right", "up"), frames=4, **TINY | change)).save_pretrained(folder)
    return folder


def test_a_run_a_variant_and_a_model_are_found(tmp_path):
    for folder in (tmp_path / "run", tmp_path / "study" / "variants" / "seed=1"):
        model = save(folder / "model")
        assert model_files(str(folder)) == model_files(str(model))
        assert model_files(str(model)) == (model / "config.json", model / "model.safetensors")
    with pytest.raises(ManifestError, match=r"study holds no trained model .*name one of its variants: .*/seed=1$"):
        model_files(str(tmp_path / "study"))


def test_what_is_no_model_is_named_with_the_remedy(tmp_path):
    with pytest.raises(ManifestError, match=r"holds no trained model \(config\.json and .*: has its training ended"):
        model_files(str(tmp_path))
    with pytest.raises(ManifestError, match=r"gone/model: no such folder"):
        model_files(str(tmp_path / "gone" / "model"))
    (save(tmp_path / "model") / "model.safetensors").unlink()
    with pytest.raises(ManifestError, match="holds no trained model"):
        Train(start_from=str(tmp_path / "model")).files()


def test_a_repository_of_the_hub_is_taken_from_its_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ManifestError, match=r"to download it: hf download someone/walks config\.json"):
        model_files("someone/walks")
    repository = tmp_path / "models--someone--walks"  # as the hub's client lays it out
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0123abc")
    folder = save(repository / "snapshots" / "0123abc")
    assert model_files("someone/walks") == (folder / "config.json", folder / "model.safetensors")


def test_the_model_of_drawn_people_comes_with_the_package_and_fits_the_laptop_s_network(tmp_path, clip_row):
    from stages.train.transfer import take_weights

    files = model_files("drawn")
    assert sum(file.stat().st_size for file in files) < 3_000_000
    start = Recognizer.from_pretrained(files[0].parent)
    settings = yaml.safe_load(Path("manifests/base/laptop.yaml").read_text())["stages"]["train"]["with"]
    for modality in ("pose", "rgb+pose"):
        network = NetworkConfig(**settings["model"] | {"modality": modality})
        own = RecognizerConfig(**network.model_dump(), class_names=("a", "b"), frames=settings["frames"])
        taken = take_weights(Recognizer(own), start)
        joints = [name for name in Recognizer(own).state_dict() if name.startswith(("joint_tokens", "blocks"))]
        assert taken["taken"] > 0.5 * len(joints)
        assert not [name for name in taken["new"] if name.startswith("joint_tokens")]
    stage = Train(start_from="drawn", model=settings["model"], val_share=0)
    clips = pa.Table.from_pylist(
        [clip_row(f"{i}", label, "train") for i, label in enumerate("ab")], schema=CLIPS.schema
    )
    (said,) = [one.text for one in stage.check(clips, {}) if "drawn" in one.text]
    assert "motion" not in said.partition(";")[0] and "will not know" not in said


def test_keys_depend_on_the_content_of_the_model_and_not_on_its_place(tmp_path):
    def identity(folder: Path | None) -> dict[str, object]:
        return stage_identity("train", Train(start_from=str(folder)) if folder else Train())

    first, other = save(tmp_path / "first"), save(tmp_path / "other")
    assert "start_from" not in identity(None)["parameters"] and identity(None)["files"] == []
    assert identity(first) != identity(other), "fresh weights are drawn for each"
    before = identity(first)
    assert identity(first.rename(tmp_path / "moved")) == before


def test_a_training_says_what_it_will_take(tmp_path, clip_row):
    rows = [clip_row(f"{i}", label, "train") for i, label in enumerate(("right", "down"))]
    clips = pa.Table.from_pylist([*rows, clip_row("2", "up", "test")], schema=CLIPS.schema)

    def said(folder: Path) -> list[tuple[str, bool]]:
        stage = Train(start_from=str(folder), model=TINY, val_share=0)
        return [(one.text, one.fatal) for one in stage.check(clips, {}) if str(folder) in one.text]

    same = save(tmp_path / "same")
    lost = "classes without training clips, which the new model will not know: up"
    assert said(same) == [(f"starts from {same}, which knows 1 of the 2 classes; {lost}", False)]
    pose = save(tmp_path / "pose", modality="pose", dropout=0.5)
    assert said(pose)[0][0].endswith("; modality is pose there and rgb+pose here")
    ((text, fatal),) = said(save(tmp_path / "wide", width=8))
    assert fatal and "as width is 8 there and 4 here: set model.width" in text
    (same / "config.json").write_text("{}")
    ((text, fatal),) = said(same)
    assert fatal and "not a recognizer's config.json" in text


def test_layouts_are_named_where_both_are_known():
    config = RecognizerConfig(class_names=("a",), frames=4)
    assert differences(config, config.model_copy(update={"layout": "ntu25", "frames": 8})) == [
        "frames is 4 there and 8 here",
        "layout is coco17 there and ntu25 here",
    ]
    assert differences(config, NetworkConfig()) == []
