"""Weights and models at URLs, on a real server: the same keys and the same results as from a folder."""

import csv
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
from command_line import Done, command
from trained_model import MANIFESTS, RGB, save_model, trained, write_video

import pipeline
from pipeline import load_model
from pipeline.errors import ManifestError
from pipeline.keys import stage_identity
from pipeline.manifest import load_manifest
from pipeline.stage import KnownFile
from pipeline.stage_inputs import StageContext
from recognizer.config import NetworkConfig, RecognizerConfig
from recognizer.model import Recognizer
from stages import local_files
from stages.commands.model_folder import model_folder
from stages.pose.stage import Models, Pose
from stages.tables import CLIPS
from stages.train.pretrained import Pretrained
from stages.train.stage import Train
from stages.train.start import check_start, model_files

TINY = {"width": 4, "size": 16, "heads": 2, "blocks": 1}


@pytest.fixture(autouse=True)
def _nothing_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    local_files._asked.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    config = RecognizerConfig(class_names=("right", "up"), frames=4, **TINY)
    for name in ("run", "study/variants/seed=1", "study/variants/seed=2"):
        Recognizer(config).save_pretrained(root / name / "model")
    (root / "threshold.txt").write_text("150")
    (root / "threshold.bin").write_bytes(b"more")
    (root / "net.onnx").write_bytes(b"network")
    (root / "net.onnx.data").write_bytes(b"its numbers")
    (root / "net.pth").write_bytes(b"another")
    (root / "net.json").write_bytes(b"{}")
    return root


@pytest.fixture
def url(folder: Path, upload: Callable[[Path], str]) -> str:
    return upload(folder)


STAGES = {
    "own estimator": lambda root: Pose(estimator="own_estimators:RedDot", weights=f"{root}/threshold.txt"),
    "two files": lambda root: Pose(estimator="onnx", weights=f"{root}/net.onnx", detector="whole_frame"),
    "mmpose": lambda root: Pose(estimator="mmpose", weights=f"{root}/net.pth", detector="whole_frame"),
    "detector": lambda root: Pose(estimator="hrnet_mini", detector="onnx", detector_weights=f"{root}/net.onnx"),
    "backbone": lambda root: Train(
        backbone="kinetics400", backbone_file=f"{root}/net.pth", model={"width": 64, "modality": "rgb"}
    ),
    "start": lambda root: Train(start_from=f"{root}/run"),
    "start from a variant": lambda root: Train(start_from=f"{root}/study/variants/seed=1"),
    "model": lambda root: Pretrained(path=f"{root}/run/model"),
}


@pytest.mark.parametrize("name", STAGES)
def test_keys_are_those_of_local_files_and_change_with_the_content(name: str, folder: Path, url: str) -> None:
    here, there = (stage_identity("it", STAGES[name](root)) for root in (folder, url))
    assert there == here and here["files"]
    assert not any(isinstance(file, Path) and "cache" in str(file) for file in STAGES[name](url).files())
    filesystem, _ = fsspec.core.url_to_fs(url)
    for path in filesystem.find(url):
        filesystem.pipe_file(path, b"changed")
    local_files._asked.clear()
    changed = stage_identity("it", STAGES[name](url))["files"]
    own = [file for file in here["files"] if "mini" not in file[0]]
    assert len(changed) == len(here["files"]) and not any(file in changed for file in own)


def test_a_worker_reads_weights_at_a_url(url: str) -> None:
    stage = STAGES["own estimator"](url)
    assert all(isinstance(file, KnownFile) for file in stage.files()[:2])
    assert Models(stage)._estimator.threshold == 150  # type: ignore[attr-defined]
    assert Models(stage).columns["weights"][0].startswith("threshold.txt ")


def test_weights_that_a_machine_cannot_read_are_its_problem_before_the_run(url: str) -> None:
    clips = CLIPS.schema.empty_table()
    stage = Pose(estimator="own_estimators:RedDot", weights=f"{url}/none.txt", detector="whole_frame")
    problems = [problem.text for problem in stage.prepare(clips, False) if problem.fatal]
    assert problems == [f"weights: there is no file {url}/none.txt"]
    with pytest.raises(ManifestError, match=r"the config of s3://.*/net\.onnx has to be in s3://.*/net\.json"):
        fsspec.core.url_to_fs(url)[0].pipe_file(f"{url}/other/net.onnx", b"network")
        Pose(estimator="mmpose", weights=f"{url}/other/net.onnx", detector="whole_frame").files()


def test_a_model_at_a_url_is_handed_on_and_started_from(folder: Path, url: str, context: StageContext) -> None:
    here, there = (Pretrained(path=f"{root}/run/model") for root in (folder, url))
    assert there.run([], context) == here.run([], context)
    assert there.layout() == here.layout()
    assert [file.read_bytes() for file in model_files(f"{url}/run")] == [
        file.read_bytes() for file in model_files(f"{folder}/run/model")
    ]
    (problem,) = check_start(f"{url}/run", NetworkConfig(**TINY), {"up"})
    assert problem.text.startswith(f"starts from {url}/run, which knows 1 of the 1 classes")
    assert model_folder(f"{url}/run/").name == model_folder(f"{url}/run/model").name


def test_what_is_no_model_is_said_with_the_remedy(url: str) -> None:
    with pytest.raises(
        ManifestError, match=r"study holds no trained model .*: name one of its variants: s3://.*seed=1,"
    ):
        model_files(f"{url}/study")
    with pytest.raises(ManifestError, match=r"none holds no trained model .*: give the URL of a run, of a variant or"):
        model_files(f"{url}/none")
    with pytest.raises(ManifestError, match=r"path: s3://.*/study holds no trained model"):
        Pretrained(path=f"{url}/study").files()
    with pytest.raises(ManifestError, match=r"s3://.*/none: there is no model, with config\.json and model\.safetens"):
        model_folder(f"{url}/none")


def test_a_manifest_s_error_names_the_stage(url: str) -> None:
    settings = [f"train.start_from={url}/none"]
    with pytest.raises(ManifestError, match=rf"yaml:\d+: stage 'train': start_from: {url}/none holds no trained model"):
        load_manifest(MANIFESTS / "listing_pose.yaml", settings, {"VIDEOS_LIST": "list.csv"})


def recognize(*arguments: str) -> Done:
    return command("recognize", *arguments, "--executor", "local")


def recognized() -> list[dict[str, str]]:
    with Path("out/recognitions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_videos_and_model_to_recognize_with_are_at_urls(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trained("demo.yaml", RGB)
    save_model()
    write_video(Path("videos/short.mp4"), 20)
    write_video(Path("videos/deep/long.avi"), 60)
    assert recognize("videos", "--model", "it", "--out", "out", "--window", "1").returncode == 0
    expected = recognized()
    filesystem, _ = fsspec.core.url_to_fs(s3)
    filesystem.put("videos/", f"{s3}/videos/", recursive=True)
    filesystem.put("runs/it/model/", f"{s3}/it/model/", recursive=True)
    for name in ("videos", "runs", "out", "store"):
        Path(name).rename(f"former {name}")
    everything = ("--export", "eaf,labelstudio,coco,jsonl", "--overlay", "--previews", "--window", "1")
    done = recognize(f"{s3}/videos", "--model", f"{s3}/it", "--out", "out", *everything)
    assert done.returncode == 0, done.stdout + done.stderr
    assert recognized() == expected
    for folder in ("previews", "overlay"):
        for made in ("deep/long.avi.mp4", "short.mp4.mp4"):
            assert Path("out", folder, made).stat().st_size
    assert f'"original":"{s3}/videos/short.mp4"' in Path("out/recognitions.html").read_text(encoding="utf-8")
    assert f'MEDIA_URL="{s3}/videos/short.mp4"' in Path("out/elan/short.mp4.eaf").read_text(encoding="utf-8")
    done = recognize(f"{s3}/videos/short.mp4", "--model", f"{s3}/it/model", "--out", "one", "--previews")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"file":"short.mp4"' in Path("one/recognitions.html").read_text(encoding="utf-8")
    segments = load_model(f"{s3}/it").recognize(f"{s3}/videos/short.mp4", window=1).segments
    assert segments["label"].tolist() == [row["label"] for row in expected if row["file"] == "short.mp4"]
    assert set(pipeline.recognize(f"{s3}/videos", f"{s3}/it", window=1)["file"]) == {"short.mp4", "deep/long.avi"}
    done = recognize(f"{s3}/none", "--model", f"{s3}/it", "--out", "none")
    assert done.returncode == 2 and f"no videos below {s3}/none" in done.stderr
    done = recognize(f"{s3}/videos", "--model", f"{s3}/it", "--out", "none", "--watch")
    assert done.returncode == 2 and f"{s3}/videos: only folders of this machine are watched" in done.stderr
    done = recognize(f"{s3}/videos", "--model", f"{s3}/it", "--out", f"{s3}/out")
    assert done.returncode == 2 and "is a URL" in done.stderr and not Path("s3:").exists()
