import json
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from pipeline.stage import StageUse
from recognizer.config import RecognizerConfig
from stages.predict.evaluate import Evaluate, figures
from stages.train.model_card import MARKER, write_card

HOSTILE = (
    "<script>alert(1)</script>",
    "a|b",
    "line\n# head",
    "![x](http://example.org/x.png)",
    "https://example.org",
    "`code` *bold* __bold__ ~~no~~",
    "&lt;b&gt;",
    "\\",
    "---",
    "1. one",
    "- two",
    MARKER,
    "\x1b[31m\x00",
    "手を振る",
)


def save(folder: Path, class_names: tuple[str, ...] = ("sit", "wave"), **changes: Any) -> Path:
    """A model's folder, as far as its card is made from it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = RecognizerConfig(class_names=class_names, **changes)
    (folder / "config.json").write_text(config.model_dump_json())
    return folder


DECODE = {"uses": "stages.video.stage:Decode", "needs": ["index"], "with": {}}


def save_usage(model: Path, stages: dict[str, Any]) -> None:
    predict = {"uses": "stages.predict.stage:Predict", "needs": [*stages, "train"], "with": {"views": 10}}
    usage = {"format": 1, "partition": 8, "source": "index", "model": "train", "predict": "predict"}
    (model / "recognition.json").write_text(json.dumps(usage | {"stages": stages | {"predict": predict}}))


def evaluated(class_names: tuple[str, ...], labels: list[str], probabilities: list[list[float]]) -> dict[str, Any]:
    clip_ids = [str(number) for number in range(len(labels))]
    return figures(list(class_names), clip_ids, labels, probabilities) | {"split": "test", "failed": 1}


def test_a_card_says_what_people_must_know(tmp_path: Path) -> None:
    preprocessing = {"data": "waving people", "seconds": 2.34}
    changes = {"preprocessing": preprocessing, "temperature": 1.5, "min_scores": {0.9: 0.75}, "validation_clips": 40}
    model = save(tmp_path / "mine" / "model", **changes)
    pose = {
        "uses": "stages.pose.stage:Pose",
        "needs": ["decode"],
        "with": {"estimator": "movenet_lightning", "detector": "nanodet"},
    }
    save_usage(model, {"decode": DECODE, "pose": pose})
    write_card(model)
    text = (model / "README.md").read_text()
    assert "There are no figures beside this model." in text and "model-index" not in text
    chances = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]]
    write_card(model, evaluated(("sit", "wave"), ["sit", "wave", "wave", "wave"], chances))
    text = (model / "README.md").read_text()
    for part in (
        "# mine",
        "| wave | 3 | 66.7 % |",
        "Trained on: waving people. The median length of its clips is 2.3 s.",
        "- estimator: movenet\\_lightning",
        "- detector: nanodet",
        "- weights: nanodet.bin, SHA-256 5d0e4f8c",
        "Measured on 4 clips of the split test, in up to 10 views of each clip; 1 clip more could not be read",
        "| top-1 accuracy | 75.0 % (30.1 % to 95.4 %) |",
        "| wave | sit | 1 of 3 |",
        "divided by the temperature 1.5 before they become probabilities, chosen on 40 validation clips.",
        "| 90.0 % | 0.750 |",
        "pipeline recognize my_videos --model MODEL --out recognized",
        'Recognizer.from_pretrained("MODEL")',
    ):
        assert part in text, part
    data = ModelCard(text).data
    assert (data.license, data.library_name, data.model_name) == ("other", "action-pipeline", "mine")
    assert "The license is yours to choose" in text and "video-classification" in data.tags
    found = data.eval_results[0]
    assert (found.metric_type, found.metric_value, found.dataset_name) == ("accuracy", 0.75, "waving people")


def test_a_missing_file_of_weights_leaves_the_hashes_of_the_others(tmp_path: Path) -> None:
    model = save(tmp_path / "model")
    there = tmp_path / "detector.onnx"
    there.write_bytes(b"weights")
    parameters = {"estimator": "onnx", "weights": str(tmp_path / "lost.onnx"), "detector": "onnx"}
    parameters["detector_weights"] = str(there)
    pose = {"uses": "stages.pose.stage:Pose", "needs": ["decode"], "with": parameters}
    save_usage(model, {"decode": DECODE, "pose": pose})
    write_card(model)
    lines = (model / "README.md").read_text().splitlines()
    assert "- weights: lost.onnx, which could not be read when this card was written" in lines
    assert f"- weights: detector.onnx, SHA-256 {sha256(b'weights').hexdigest()}" in lines


def test_videos_are_recognized_only_where_frames_are_made(tmp_path: Path) -> None:
    model = save(tmp_path / "model", modality="pose")
    skeletons = {"uses": "stages.pose.given:Skeletons", "needs": ["index"], "with": {}}
    save_usage(model, {"skeletons": skeletons})
    write_card(model)
    text = (model / "README.md").read_text()
    assert "pipeline recognize" not in text and "model(None, keypoints_BMTR3)" in text


def test_what_people_write_stays(tmp_path: Path) -> None:
    model = save(tmp_path / "study" / "variants" / "fold=1" / "model")
    write_card(model)
    card = model / "README.md"
    text = card.read_text()
    assert "# study, fold\\=1" in text and "There is none: the training had fewer than 20 validation clips." in text
    text = text.replace("license: other", "license: cc-by-4.0")
    card.write_text(f"{text}\nFilmed with consent.\n")
    write_card(model, evaluated(("sit", "wave"), ["sit", "wave"], [[0.9, 0.1], [0.2, 0.8]]))
    text = card.read_text()
    assert text.endswith(f"{MARKER}\n\nFilmed with consent.\n") and "| sit | 1 | 100.0 % |" in text
    assert ModelCard(text).data.license == "cc-by-4.0" and "yours to choose" not in text
    write_card(model)
    assert "Filmed with consent." in card.read_text() and "| sit | 1 |" not in card.read_text()
    card.write_text("All mine.")
    write_card(model)
    assert card.read_text() == "All mine."


@pytest.mark.parametrize("measured", [True, False])
def test_names_mean_nothing_to_markdown_and_yaml(tmp_path: Path, measured: bool) -> None:
    data = "x\n---\nlicense: mit\n- <b>: 'y' \"z\""
    model = save(tmp_path / "a: <i>b" / "model", HOSTILE, preprocessing={"data": data})
    chances = [[float(i == j) for j in range(len(HOSTILE))] for i in range(len(HOSTILE))]
    for _ in range(2):  # the second time from the first card
        write_card(model, evaluated(HOSTILE, [*HOSTILE[1:], HOSTILE[0]], chances) if measured else None)
    text = (model / "README.md").read_text()
    card = ModelCard(text)
    assert card.data.license == "other" and text.splitlines().count(MARKER) == 1
    if measured:
        assert card.data.model_name == "a: <i>b"
        assert card.data.eval_results[0].dataset_name == " ".join(data.split())
    rendered = MarkdownIt("commonmark", {"linkify": False}).enable("table").render(card.text)
    for name in HOSTILE:
        shown = escape(" ".join(name.split())).replace("\x1b", "\N{REPLACEMENT CHARACTER}")
        assert f"<td>{shown.replace(chr(0), chr(0xFFFD)).replace('&#x27;', chr(39))}</td>" in rendered, name
    assert rendered.count("<h1>") == 1 and "<h1>a: &lt;i&gt;b</h1>" in rendered
    for tag in ("<script", "<img", "<a ", "<i>", "<b>", "<strong>", "<s>", "<ol>", "<hr"):
        assert tag not in rendered


def test_only_the_model_that_was_evaluated_gets_the_figures(tmp_path: Path) -> None:
    model = save(tmp_path / "model")
    write_card(model)
    metrics = evaluated(("sit", "wave"), ["sit", "wave"], [[0.9, 0.1], [0.2, 0.8]])
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    for uses, written in (("stages.train.pretrained:Pretrained", False), ("stages.train.stage:Train", True)):
        Evaluate().export_uses([StageUse("model", uses, (), {}, "models")], tmp_path, "evaluate", 32)
        assert ("| sit | 1 | 100.0 % |" in (model / "README.md").read_text()) == written
    Evaluate().export_uses(
        [StageUse("model", "stages.train.stage:Train", (), {}, "models")], tmp_path / "other", "evaluate", 32
    )
