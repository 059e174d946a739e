"""README.md of a model: the card that the Hugging Face hub shows. Generated down to a line below which people write."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.registry import load_stage
from pipeline.stage import KnownFile
from pipeline.texts import count
from recognizer.config import RecognizerConfig
from recognizer.config_file import CONFIG_FILE, read_config
from stages.tables import PREDICTIONS, SKELETONS
from stages.train.calibration import MIN_CLIPS
from stages.train.usage import Usage, UsedStage

CARD_FILE = "README.md"
MARKER = "<!-- What stands below this line is kept when a run writes this card again. -->"
LICENSE_FIELDS = ("license", "license_name", "license_link")
"""Fields of the front matter that people may change, and that stay as they are."""
LICENSE_REMARK = "# The license is yours to choose: in place of other, an identifier of the hub such as apache-2.0"
CONFUSIONS = 10
LONGEST_NAME = 200


def write_card(folder: Path, metrics: dict[str, Any] | None = None) -> None:
    """Write the card of the model in a folder, with figures if there are any.

    What people wrote below ``MARKER`` stays. A card without it is theirs, and stays as a whole.
    """
    from pipeline.files import replace_file

    file = folder / CARD_FILE
    before = file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else None
    if before is not None and MARKER not in before.splitlines():
        return
    own = before.partition(MARKER)[2] if before else "\n"
    config = read_config((folder / CONFIG_FILE).read_bytes())
    try:
        usage = Usage.read(folder)
    except (OSError, ValueError):
        usage = None
    name = _name(folder.absolute().parent)
    front = _front_matter(name, config, metrics, _license(before or ""))
    text = "\n\n".join([front, *_sections(name, config, usage, metrics), MARKER]) + own
    replace_file(file, text.encode("utf-8", "surrogateescape"))


def _name(folder: Path) -> str:
    """What a run or a variant of one is called."""
    return f"{folder.parents[1].name}, {folder.name}" if folder.parent.name == "variants" else folder.name


def plain(text: object) -> str:
    """A name of any origin as one line of Markdown that shows its characters and means nothing else."""
    line = re.sub(r"([\\`*_\[\]{}<>|~&#!:@$^=])", r"\\\1", _one_line(text))
    return re.sub(r"^([-+.)]|\d+(?=[.)]))", lambda found: rf"&#{ord(found[0][0])};{found[0][1:]}", line)


def _one_line(text: object) -> str:
    line = " ".join(str(text).split())
    line = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign) in ("Cc", "Cs") else sign for sign in line)
    return line if len(line) <= LONGEST_NAME else line[:LONGEST_NAME] + "…"


def _license(before: str) -> dict[str, Any]:
    """What an earlier card says about the license."""
    import yaml

    found = re.match(r"---\n(.*?)\n---\n", before, re.DOTALL)
    try:
        fields = yaml.safe_load(found[1]) if found else None
    except yaml.YAMLError:
        fields = None
    given = fields if isinstance(fields, dict) else {}
    return {"license": "other"} | {name: str(given[name]) for name in LICENSE_FIELDS if name in given}


def _front_matter(
    name: str, config: RecognizerConfig, metrics: dict[str, Any] | None, license_fields: dict[str, Any]
) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results: list[EvalResult] = []
    if metrics:
        data = _one_line(config.preprocessing.get("data") or "own videos")
        shared: dict[str, Any] = {"task_type": "video-classification", "dataset_type": "custom", "dataset_name": data}
        shared["dataset_split"] = _one_line(metrics["split"])
        results = [
            EvalResult(**shared, metric_type=kind, metric_name=title, metric_value=round(float(metrics[figure]), 4))
            for kind, title, figure in (
                ("accuracy", "top-1 accuracy", "top1"),
                ("mean_class_accuracy", "mean class accuracy", "mean_class"),
                ("ece", "expected calibration error", "ece"),
            )
            if metrics.get(figure) is not None
        ]
    tags = ["video-classification", "action-recognition"]
    tags += ["skeletons"] if config.uses_pose else []
    card = ModelCardData(
        **license_fields,
        library_name="action-pipeline",
        pipeline_tag="video-classification",
        tags=tags,
        model_name=_one_line(name) if results else None,
        eval_results=results or None,
    )
    remark = [LICENSE_REMARK] if license_fields == {"license": "other"} else []
    return "\n".join(["---", *remark, card.to_yaml(), "---"])


def _sections(
    name: str, config: RecognizerConfig, usage: Usage | None, metrics: dict[str, Any] | None
) -> Iterator[str]:
    sees = {"rgb+pose": "frames and skeletons", "rgb": "frames", "pose": "skeletons"}[config.modality]
    yield f"# {plain(name)}"
    networks = "a transformer" if not config.ensemble else f"the mean of {len(config.networks)} transformers"
    yield (
        f"Recognizes {count(len(config.class_names), 'action').replace('actions', 'kinds of action')} in videos, from "
        f"{sees}. Trained with action-pipeline: {networks} over {config.frames} frames of a clip."
    )
    yield "## Classes"
    yield _classes(config, metrics)
    yield "## Data"
    yield _data(config)
    if usage and (estimation := _estimation(usage)):
        yield "## Skeletons"
        yield estimation
    yield "## Figures"
    yield from _figures(usage, metrics)
    yield "## Calibration"
    yield _calibration(config)
    yield "## Limits"
    yield _limits(config)
    yield "## How to use it"
    yield from _use(config, usage)


def _classes(config: RecognizerConfig, metrics: dict[str, Any] | None) -> str:
    if not metrics:
        return _table(("class",), ([plain(name)] for name in config.class_names))
    measured = [metrics["per_class"].get(name, {"clips": 0, "accuracy": None}) for name in config.class_names]
    return _table(
        ("class", f"clips of {plain(metrics['split'])}", "recognized"),
        (
            [plain(name), f"{own['clips']:,}", "–" if own["accuracy"] is None else _percent(own["accuracy"])]
            for name, own in zip(config.class_names, measured, strict=True)
        ),
    )


def _data(config: RecognizerConfig) -> str:
    data = config.preprocessing.get("data")
    seconds = config.preprocessing.get("seconds")
    text = f"Trained on: {plain(data)}." if data else "The run does not say what the model was trained on."
    return f"{text} The median length of its clips is {seconds:.1f} s." if seconds else text


def _estimation(usage: Usage) -> str | None:
    """The estimator, the detector, and their weights."""
    for used in usage.stages.values():
        stage = load_stage(used.uses)
        if stage.makes.name != SKELETONS.name or "estimator" not in stage.model_fields:
            continue
        chosen = {
            name: used.parameters.get(name, stage.model_fields[name].default) for name in ("estimator", "detector")
        }
        lines = [f"- {name}: {plain(value)}" for name, value in chosen.items() if value]
        return "\n".join([*lines, *_weights(used)])
    return None


def _weights(used: UsedStage) -> Iterator[str]:
    """The files that a stage's results depend on, with the hashes of those that are known or can be read here."""
    try:
        files = load_stage(used.uses).model_validate(used.parameters).files()
    except (PipelineError, ValueError, OSError):
        return
    for file in files:
        try:
            digest = f"SHA-256 {KnownFile.of(file).sha256}"
        except OSError:
            digest = "which could not be read when this card was written"
        yield f"- weights: {plain(file.name)}, {digest}"


def _figures(usage: Usage | None, metrics: dict[str, Any] | None) -> Iterator[str]:
    if not metrics:
        yield "There are no figures beside this model."
        return
    low, high = metrics["top1_interval"]
    groups = f" of {count(metrics['groups'], 'group')}" if metrics.get("groups") else ""
    measured = f"Measured on {count(metrics['clips'], 'clip')}{groups} of the split {plain(metrics['split'])}"
    views = [used.parameters.get("views") for used in usage.stages.values() if _predicts(used)] if usage else []
    measured += f", in up to {views[0]} views of each clip" if views and views[0] else ""
    if metrics.get("failed"):
        measured += f"; {count(metrics['failed'], 'clip')} more could not be read or had no prediction"
    yield f"{measured}. The interval is one of 95 %{', over the groups' if groups else ''}."
    rows = [["top-1 accuracy", f"{_percent(metrics['top1'])} ({_percent(low)} to {_percent(high)})"]]
    if len(metrics["classes"]) > 5:
        rows.append(["top-5 accuracy", _percent(metrics["top5"])])
    rows.append(["mean accuracy of the classes", _percent(metrics["mean_class"])])
    if metrics.get("ece") is not None:
        rows.append(["expected calibration error", _percent(metrics["ece"])])
    yield _table(("figure", "value"), rows)
    if confusions := list(_confusions(metrics))[:CONFUSIONS]:
        yield "Most frequent confusions:"
        yield _table(("class", "taken for", "clips"), confusions)


def _predicts(used: UsedStage) -> bool:
    return load_stage(used.uses).makes.name == PREDICTIONS.name


def _confusions(metrics: dict[str, Any]) -> Iterator[list[str]]:
    names, matrix = metrics["classes"], metrics["confusion"]
    pairs = [(row[j], i, j, sum(row)) for i, row in enumerate(matrix) for j in range(len(row)) if i != j and row[j]]
    for clips, i, j, all_clips in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        yield [plain(names[i]), plain(names[j]), f"{clips:,} of {all_clips:,}"]


def _calibration(config: RecognizerConfig) -> str:
    if not config.validation_clips:
        return (
            f"There is none: the training had fewer than {MIN_CLIPS} validation clips. Scores are no probabilities of "
            "being right."
        )
    text = (
        f"Logits are divided by the temperature {config.temperature:g} before they become probabilities, chosen on "
        f"{count(config.validation_clips, 'validation clip')}."
    )
    if not config.min_scores:
        return f"{text} No least score made any of the usual shares of them right."
    rows = [[_percent(share), f"{score:.3f}"] for share, score in sorted(config.min_scores.items())]
    return f"{text}\n\n{_table(('right, of those with at least this score', 'score'), rows)}"


def _limits(config: RecognizerConfig) -> str:
    limits = [
        "It knows these classes alone, and gives one of them for whatever a video shows. `--min-score` leaves out what "
        "it is not sure of.",
        "The figures hold for videos like those that it was trained on: other cameras, places and people may be "
        "recognized less well.",
    ]
    if config.uses_pose:
        limits.append(
            f"It sees at most {count(config.persons, 'person').replace('persons', 'people')} at a time, and of them "
            "only what the pose estimator finds."
        )
    limits.append(
        "The run does not tell whether it recognizes people of different age, build, dress or ability equally well."
    )
    return "\n".join(f"- {limit}" for limit in limits)


def _use(config: RecognizerConfig, usage: Usage | None) -> Iterator[str]:
    yield "MODEL is the folder of this file, or the model's name on the hub (`owner/name`)."
    if usage and usage.reads_videos:
        yield "```bash\npipeline recognize my_videos --model MODEL --out recognized\n```"
    given = {
        "rgb+pose": "frames_B3THW, keypoints_BMTR3",
        "rgb": "frames_B3THW, None",
        "pose": "None, keypoints_BMTR3",
    }[config.modality]
    yield (
        "```python\nfrom recognizer import Recognizer\n\n"
        'model = Recognizer.from_pretrained("MODEL")\n'
        f"logits_BK = model({given})\n```"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
