"""The manifests of UCF101, HMDB51 and Kinetics run end to end on small copies of their layouts, with drawn people."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.manifest import load_manifest
from pipeline.runs import Options, plan_run, run
from stages.synthetic.clip import Clip
from stages.synthetic.writing import Order, write_missing

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
CLASSES = ("squat", "wave_left")
SMALL = [
    *("pose.estimator=hrnet_mini", "pose.detector=mini", "decode.frames=4", "cache.size=48"),
    *("train.epochs=1", "train.warmup_epochs=0", "train.threads=1", "max_failed=0.2"),
    *("train.model.size=32", "train.model.width=8", "train.model.stem_stride=4", "train.model.search_kernel=2"),
    *("train.augment.scale=[0.7,1.0]", "report.samples=1"),
]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Three videos of each class."""
    folder = tmp_path_factory.mktemp("drawn")
    videos = {label: [folder / label / f"{i}.mp4" for i in range(3)] for label in CLASSES}
    write_missing(
        [Order(Clip(0, "train", label, i, 96), file, None) for label in CLASSES for i, file in enumerate(videos[label])]
    )
    return videos


def figures(name: str, root: Path, variable: str) -> dict[str, object]:
    """Run a manifest on a small copy; returns its metrics."""
    settings = [*SMALL, f"store={root.parent}/store", f"runs={root.parent}/runs"]
    manifest = load_manifest(MANIFESTS / f"{name}.yaml", settings, {variable: str(root)})
    assert run(manifest, Options(executor="local")).succeeded
    folder = root.parent / "runs" / name
    assert (folder / "report.html").is_file()
    files = sorted(folder.rglob("metrics.json"))
    return json.loads(files[0].read_text()) | {"files": len(files)}


def write(file: Path, lines: Iterable[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))


def put(video: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(video, target)


@pytest.fixture
def ucf101(tmp_path: Path, drawn: dict[str, list[Path]]) -> Path:
    root = tmp_path / "ucf101"
    lists = root / "ucfTrainTestlist"
    write(lists / "classInd.txt", [f"{number} {label}" for number, label in enumerate(CLASSES, 1)])
    names = {label: [f"{label}/v_{label}_g{i + 1:02}_c01.avi" for i in range(3)] for label in CLASSES}
    for label in CLASSES:
        for video, name in zip(drawn[label], names[label], strict=True):
            put(video, root / "UCF-101" / name)
    for split in range(3):
        train = [
            f"{name} {number}"
            for number, label in enumerate(CLASSES, 1)
            for i, name in enumerate(names[label])
            if i != split
        ]
        write(lists / f"trainlist{split + 1:02}.txt", train)
        write(lists / f"testlist{split + 1:02}.txt", [names[label][split] for label in CLASSES])
    return root


def test_ucf101(ucf101: Path) -> None:
    metrics = figures("ucf101", ucf101, "UCF101_ROOT")
    assert (metrics["clips"], metrics["failed"], metrics["classes"]) == (2, 0, list(CLASSES))


def test_the_splits_of_ucf101_share_all_but_the_training(ucf101: Path) -> None:
    settings = [f"store={ucf101.parent}/store"]
    manifest = load_manifest(MANIFESTS / "ucf101_splits.yaml", settings, {"UCF101_ROOT": str(ucf101)})
    plan = plan_run(manifest)
    stages = [plan.nodes[name].node.spec for name, _ in plan.tasks]
    assert (stages.count("decode"), stages.count("train"), stages.count("report")) == (1, 3, 1)
    tested = [set(clips.table.filter(_is_test(clips.table))["clip_id"].to_pylist()) for clips in plan.sources.values()]
    assert len(tested) == 3 and len(set.union(*tested)) == 6
    assert {clips.table["group"][0].as_py() for clips in plan.sources.values()} == {"v_squat_g01"}


def _is_test(table: pa.Table) -> list[bool]:
    return [split == "test" for split in table["split"].to_pylist()]


def test_hmdb51_over_its_splits(tmp_path: Path, drawn: dict[str, list[Path]]) -> None:
    root = tmp_path / "hmdb51"
    for label in CLASSES:
        names = [f"#2_Films_(old)!_{label}_u_nm_np1_fr_goo_{i}.avi" for i in range(3)]
        for video, name in zip(drawn[label], names, strict=True):
            put(video, root / label / name)
        for split in range(3):
            lines = [f"{name} {1 + (i == split)} " for i, name in enumerate(names)]
            lines.append(f"unused_{label}_f_cm_np1_ba_bad_0.avi 0 ")
            write(root / f"testTrainMulti_7030_splits/{label}_test_split{split + 1}.txt", lines)
    metrics = figures("hmdb51_splits", root, "HMDB51_ROOT")
    assert (metrics["clips"], metrics["failed"], metrics["files"]) == (6, 0, 4)


def test_kinetics_with_a_video_that_is_gone(tmp_path: Path, drawn: dict[str, list[Path]]) -> None:
    root = tmp_path / "kinetics"
    rows = {"train": [], "validate": []}
    for c, label in enumerate(CLASSES):
        for i, video in enumerate(drawn[label]):
            split = "validate" if i == 2 else "train"
            name = f"-ID{c}{i}abcdef"
            put(video, root / f"videos/{label.replace(' ', '_')}" / f"{name}_000010_000020.mp4")
            rows[split].append(f'"{label}",{name},10,20,{split},0')
    rows["train"].append("squat,gone1234567,3,13,train,0")
    for split, name in (("train", "train"), ("validate", "val")):
        write(root / f"annotations/{name}.csv", ["label,youtube_id,time_start,time_end,split,is_cc", *rows[split]])
    metrics = figures("kinetics", root, "KINETICS_ROOT")
    assert (metrics["clips"], metrics["failed"]) == (2, 0)
    assert "gone1234567_000003_000013" in (tmp_path / "runs/kinetics/failures.csv").read_text()
