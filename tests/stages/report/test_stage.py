import csv
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.errors import ManifestError
from pipeline.stage_inputs import StageContext, VariantInputs
from stages.report.stage import Report
from stages.tables import REPORTS

MakeVariant = Callable[..., VariantInputs]
HOSTILE = ("<img src=http://evil.test/x onerror=alert(1)>.mp4", '"><script>alert(2)</script>', "a\u202eb'{{ 7*7 }}.mp4")


class Elements(HTMLParser):
    """Every tag of a page with its attributes, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.found)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run's folder with all that the page can use, with hostile names wherever a text is free."""
    folder = tmp_path / "run"
    folder.mkdir()
    manifest = {"name": HOSTILE[1], "description": HOSTILE[0], "stages": {"index": {"uses": "folder", "needs": []}}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    spent = {"seconds": 12.5, "partitions": 3, "reused": 1, "clips": 6, "bytes": 1234567, "failed": 2, "elsewhere": 0}
    idle = {"seconds": 0, "partitions": 1, "reused": 1, "clips": 0, "bytes": 0, "failed": 0, "elsewhere": 1}
    (folder / "timings.json").write_text(json.dumps({"decode": spent, HOSTILE[1]: idle}))
    (folder / "failures.csv").write_text(
        'clip_id,stage,error\n<b>x</b>.mp4,decode,"<i>ends</i> after frame 3, see\n<a href=http://evil.test>"\n'
        "y.mp4,pose,nobody was found\n",
        encoding="utf-8",
    )
    notes = [{"stage": f"train[seed={seed}]", "text": f"all clips of {HOSTILE[0]} are copies"} for seed in (1, 2)]
    (folder / "notes.json").write_text(json.dumps(notes))
    return folder


def report(variants: list[VariantInputs], folder: Path, run_folder: Path | None = None, samples: int = 4) -> str:
    """Run the stage, lay it out, and return the page."""
    stage = Report(samples=samples)
    table = stage.run(variants, StageContext(folder, lambda *_, **__: None))
    assert table.schema == REPORTS.schema
    stage.export(table, folder, run_folder or folder)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_everything_is_on_the_page(make_variant: MakeVariant, tmp_path: Path, run_folder: Path) -> None:
    page = report([make_variant()], tmp_path / "out", run_folder)
    assert page.count("are copies") == 1, "what several variants say is said once"
    for text in ("66.7 %", "95 % interval", "Accuracy by class", "hrnet_mini", "nobody was found", "1.2 MB"):
        assert text in page, text
    assert "23 parameters" in page
    elements = Elements(page)
    assert elements.count("img") == 4 * 6 + 3, "frames of the samples, loss, accuracy and scores"
    for text in ("What scores are worth", "their mean score: 67% of 6 with 0.90", "in 15 bins, is 23.3%. Nothing was"):
        assert text in page, text
    assert elements.count("source") == 3 and "Loss by epoch, last values: training 0.667" in page
    assert not (tmp_path / "out" / "metrics.json").exists(), "with one variant the figures are the evaluation's own"


def test_classes_that_no_training_clip_showed_are_named(make_variant: MakeVariant, tmp_path: Path) -> None:
    classes = ("wave", "jump", "sit")
    said = "No training clip showed: <bdi>sit</bdi>."
    assert said in report([make_variant(classes=classes, config='{"class_names": ["jump", "wave"]}')], tmp_path)
    assert said not in report([make_variant(classes=classes, config=json.dumps({"class_names": classes}))], tmp_path)


def test_names_cannot_become_markup(make_variant: MakeVariant, tmp_path: Path, run_folder: Path) -> None:
    names = make_variant(classes=HOSTILE, clip_names=HOSTILE)
    page = report([names, make_variant("<u>b</u>", classes=HOSTILE)], tmp_path / "out", run_folder, samples=9)
    elements = Elements(page)
    tags = {tag for tag, _ in elements.found}
    assert not tags & {"script", "u", "link", "iframe", "object", "base", "form"}
    assert all(name not in attributes for _, attributes in elements.found for name in ("onerror", "onload"))
    assert {(attributes["src"] or "")[:22] for tag, attributes in elements.found if tag == "img"} == {
        "data:image/jpeg;base64",
        "data:image/svg+xml;bas",
    }
    assert all((attributes["href"] or "").startswith("#") for tag, attributes in elements.found if tag == "a")
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in page and "{{ 7*7 }}" in page


def test_nothing_comes_from_elsewhere(make_variant: MakeVariant, tmp_path: Path) -> None:
    page = report([make_variant()], tmp_path / "out")
    assert "://" not in page
    assert not re.search(r"url\(|@import|<script", page)
    assert "default-src 'none'" in page


def test_the_table_is_the_same_bytes_twice(make_variant: MakeVariant, tmp_path: Path) -> None:
    variants = [make_variant("a=1"), make_variant("a=2")]
    context = StageContext(tmp_path, lambda *_, **__: None)
    first, second = (Report().run(variants, context) for _ in range(2))
    assert first.equals(second)
    assert serialized(first) == serialized(second)
    assert str(tmp_path) not in first["facts"][0].as_py()


def serialized(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def test_only_the_metrics_are_needed(make_variant: MakeVariant, tmp_path: Path) -> None:
    bare = make_variant(without=("models", "predictions", "shards", "skeletons"))
    page = report([bare], tmp_path / "out", tmp_path / "no such folder")
    assert "66.7 %" in page and "Confusion" in page
    assert page.count("<img") == 1, "the chart of the scores"
    assert 'id="samples"' not in page and 'id="times"' not in page


def test_pretrained_models_have_no_curves(make_variant: MakeVariant, tmp_path: Path) -> None:
    page = report([make_variant(epochs=0)], tmp_path / "out")
    assert "<h3>Learning" not in page and page.count('class="chart"') == 1, "that of the scores"


def test_variants_stand_side_by_side(make_variant: MakeVariant, tmp_path: Path) -> None:
    variants = [make_variant("modality=rgb"), make_variant("modality=pose", pose_alone=True)]
    page = report(variants, tmp_path / "out")
    assert page.count("modality=pose") >= 2 and "All 2 variants" not in page
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert figures["top1"] == pytest.approx(2 / 3) and figures["clips"] == 6
    assert [variant["variant"] for variant in figures["variants"]] == ["modality=rgb", "modality=pose"]
    assert figures["variants"][1]["mean_class"] == pytest.approx(2 / 3)


def test_folds_and_seeds_become_rows(make_variant: MakeVariant, tmp_path: Path, run_folder: Path) -> None:
    """Ten folds, three seeds, two settings: sixty variants, which the page shows as two rows."""
    classes, clips = ("hug", "kick", "wave", "push"), range(12)
    variants = [
        make_variant(
            f"fold={fold},size={size},seed={seed}",
            classes,
            labels_of_axes={"fold": fold, "model.size": size, "seed": seed},
            tested=[i for i in clips if i % 10 == fold],
            wrong={1, 5} if size == 64 else {seed, 5, 7, 8},
            pose_alone=True,
        )
        for fold in range(10)
        for size in (32, 64)
        for seed in range(3)
    ]
    table = Report(samples=0, pool=("fold", "seed")).run(variants, StageContext(tmp_path, lambda *_, **__: None))
    spent = {"seconds": 2, "partitions": 1, "reused": 0, "clips": 6, "bytes": 1, "failed": 0, "elsewhere": 0}
    (run_folder / "timings.json").write_text(json.dumps({f"train[fold={i}]": spent for i in range(10)}))
    out = tmp_path / "out"
    Report().export(table, out, run_folder)
    page = (out / "report.html").read_text()
    assert "All 60 variants" in page and "mean of 30 variants" in page and "in 10 folds" in page
    assert page.count('class="matrix"') == 2 and page.count("<details") < 10
    assert re.search(r"train</bdi> <small>10 variants</small>.*?20.0 s", page)
    with (out / "comparison.csv").open(newline="") as file:
        small, large = csv.DictReader(file)
    assert float(small["top1"]) == pytest.approx(8 / 12)  # seeds 0 to 2 miss clips 0 to 2, and all of them three others
    assert float(small["top1_sd"]) == 0
    assert float(large["top1"]) == pytest.approx(10 / 12)
    assert (large["size"], large["clips"], large["folds"], large["repetitions"]) == ("64", "12", "10", "3")
    assert float(small["difference"]) == pytest.approx(-2 / 12) and large["difference"] == ""
    assert "| 64 | **83.3** | 0.0 |" in (out / "comparison.md").read_text()
    assert (out / "comparison.svg").read_bytes().startswith(b"<?xml")
    figures = json.loads((out / "metrics.json").read_text())
    assert figures["top1"] == pytest.approx(8 / 12) and len(figures["variants"]) == 60


def test_an_axis_that_is_not_there_is_named() -> None:
    with pytest.raises(ManifestError, match="pool: no matrix has an axis 'sed'; the axes are seed, fold"):
        Report(pool=("fold", "sed")).check_axes(["seed", "fold"])
    Report(pool=("fold",)).check_axes(["seed", "fold"])


@pytest.mark.parametrize(("counts", "shown"), [((5, 5), (None, None)), ((6, 5), (1.0, None)), ((6, 6), (1.0, 1.0))])
def test_top5_is_left_out_among_five_classes_or_fewer(
    counts: tuple[int, int], shown: tuple[float | None, float | None], make_variant: MakeVariant, tmp_path: Path
) -> None:
    classes = [tuple(f"action {i}" for i in range(count)) for count in counts]
    page = report([make_variant(f"data={k}", names) for k, names in enumerate(classes)], tmp_path / "out")
    assert ("Top-5 accuracy" in page) == (shown[0] is not None)
    assert (">top-5<" in page) == any(shown)
    with (tmp_path / "out" / "comparison.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["top5"]) if line.get("top5") else None for line in lines] == list(shown)
    assert ("top5" in lines[0]) == any(shown)
    assert "top-5" not in (tmp_path / "out" / "comparison.md").read_text()


@pytest.mark.parametrize("count", [1, 30, 31, 120])
def test_few_and_many_classes(count: int, make_variant: MakeVariant, tmp_path: Path) -> None:
    classes = tuple(f"action number {i}" for i in range(count))
    page = report([make_variant(classes=classes)], tmp_path / "out")
    elements = Elements(page)
    filled = sum(attributes.get("class", "") in ("hit", "hit strong", "miss") for _, attributes in elements.found)
    assert filled >= count
    assert all(page.count(f">{name}<") >= 2 for name in classes)
    assert len(page.encode()) < 3_000_000


def test_a_loss_that_is_no_number_is_null_in_the_facts(make_variant: MakeVariant, tmp_path: Path) -> None:
    table = Report(samples=0).run([make_variant(loss=float("nan"))], StageContext(tmp_path, lambda *_, **__: None))
    facts = json.loads(table["facts"][0].as_py(), parse_constant=pytest.fail)
    assert facts["variants"][0]["history"][0]["loss"] is None


def test_only_clips_of_the_evaluated_split_are_shown(make_variant: MakeVariant, tmp_path: Path) -> None:
    variant = make_variant()
    splits = pa.array(["train"] * 3 + ["test"] * 3)
    mixed = variant._replace(clips=variant.clips.set_column(variant.clips.column_names.index("split"), "split", splits))
    table = Report(samples=9).run([mixed], StageContext(tmp_path, lambda *_, **__: None))
    facts = json.loads(table["facts"][0].as_py())
    assert {sample["label"] for sample in facts["samples"]} == {"jump"}
