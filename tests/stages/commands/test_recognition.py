"""Recognition: the manifest that it derives from a finished run, and an end-to-end run on real files."""

import csv
import json
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_line import Done, command
from trained_model import RGB, save_model, trained, write_video

from pipeline.errors import ManifestError
from pipeline.graph import build_graph
from stages.commands.model_folder import model_folder
from stages.commands.recognition import Windows, alone_in, least_score, recognition_manifest, what_is_replaced


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("videos").mkdir()
    return tmp_path


def test_what_lies_between_index_and_prediction_stays() -> None:
    trained("demo.yaml", ["decode.frames=7", "predict.views=2"])
    manifest = recognition_manifest(Path("videos"), "it", Path("some where/out"), Windows(2, 1))
    here = Path.cwd()
    assert (manifest.name, manifest.runs, manifest.store) == ("out", str(here / "some where"), "store")
    stages = {spec.name: spec for spec in manifest.stages}
    assert list(stages) == ["index", "train-model", "decode", "pose", "cache", "predict", "recognitions"]
    own = {"root": str(here / "videos"), "leave_out": str(here / "some where/out"), "window": 2, "stride": 1}
    assert stages["index"].parameters == own
    assert stages["decode"].parameters == {"frames": 7, "short_side": 128}
    assert stages["pose"].uses == "stages.pose.stage:Pose"
    assert stages["train-model"].uses == "stages.train.pretrained:Pretrained"
    assert stages["train-model"].parameters == {"path": str(here / "runs/it/model")}
    assert stages["predict"].parameters == {"precision": "fp32", "views": 2, "split": None}
    own = {"root": str(here / "videos"), "out": str(here / "some where/out"), "min_seconds": 1}
    assert stages["recognitions"].parameters == own
    assert build_graph(manifest).nodes["predict"].source == "index"


def test_one_variant_of_a_matrix_is_chosen() -> None:
    trained("demo_modalities.yaml", models=("variants/modality=rgb/model", "variants/modality=pose/model"))
    with pytest.raises(ManifestError) as error:
        recognition_manifest(Path("videos"), "it", Path("out"))
    assert "the run has several models; name one: runs/it/variants/modality=pose, runs/" in str(error.value)
    for given in ("runs/it/variants/modality=pose", "runs/it/variants/modality=pose/model"):
        manifest = recognition_manifest(Path("videos"), given, Path("out"))
        [train] = [spec for spec in manifest.stages if spec.name == "train-model"]
        assert train.parameters == {"path": str(Path("runs/it/variants/modality=pose/model").absolute())}
    assert [node.name for node in build_graph(manifest).nodes.values()][-1] == "recognitions"


def test_runs_that_cannot_recognize() -> None:
    with pytest.raises(ManifestError, match="no run in this folder"):
        recognition_manifest(Path("videos"), "runs/it", Path("out"))
    trained("demo.yaml", models=())
    with pytest.raises(ManifestError, match="runs/it/model: the run has no trained model yet"):
        recognition_manifest(Path("videos"), "it", Path("out"))
    trained("demo.yaml", ["stages.predict=null", "stages.evaluate=null", "stages.report=null"])
    with pytest.raises(ManifestError, match=r"runs/it/model: has no recognition.json"):
        recognition_manifest(Path("videos"), "it", Path("out"))
    trained("demo.yaml")
    Path("runs/it/manifest.json").write_text("{")
    with pytest.raises(ManifestError, match="manifest cannot be read"):
        recognition_manifest(Path("videos"), "it", Path("out"))


def test_a_model_folder_is_enough() -> None:
    trained("demo.yaml", RGB)
    save_model()
    shutil.copytree("runs/it/model", "elsewhere/copied")
    shutil.rmtree("runs")
    write_video(Path("videos/short.mp4"), 20)
    done = recognize("videos", "--model", "elsewhere/copied", "--out", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert pq.read_table("out/recognitions.parquet")["file"].to_pylist() == ["short.mp4"]


def test_a_model_from_elsewhere_names_no_code_that_its_user_does_not_name() -> None:
    own = ["pose.detector=shutil:move", "pose.detector_weights=precious"]
    Path("precious").touch()
    trained("demo.yaml", own)
    assert recognition_manifest(Path("videos"), "it", Path("out")), "in its run's folder, as in the manifest"
    shutil.copytree("runs/it/model", "elsewhere")
    with pytest.raises(ManifestError, match=r"somebody's own.* say so: --set pose.detector=shutil:move"):
        recognition_manifest(Path("videos"), "elsewhere", Path("out"))
    assert recognition_manifest(Path("videos"), "elsewhere", Path("out"), settings=own[:1])
    usage = Path("elsewhere/recognition.json")
    usage.write_text(usage.read_text().replace("stages.video.stage:Decode", "antigravity:Decode"))
    with pytest.raises(ManifestError, match="the stage decode is code of somebody's own, antigravity:Decode"):
        recognition_manifest(Path("videos"), "elsewhere", Path("out"), settings=own[:1])
    assert "antigravity" not in sys.modules
    usage.write_text(usage.read_text().replace("antigravity:Decode", "stages.recognitions.stage:Recognitions"))
    with pytest.raises(ManifestError, match="Recognitions is no stage between a video and what is predicted"):
        recognition_manifest(Path("videos"), "elsewhere", Path("out"), settings=own[:1])


def test_a_usage_that_cannot_be_used() -> None:
    trained("demo.yaml")
    usage = Path("runs/it/model/recognition.json")
    good = usage.read_text()
    for content, said in (
        ("{", "damaged"),
        ("[" * 100_000, "damaged"),
        (b"\xff", "damaged"),
        ("{}", "not a usage"),
        (good.replace('"predict": "predict"', '"predict": "nothing"'), "not a usage[\\s\\S]*no stage 'nothing'"),
        (good.replace("stages.video.stage:Decode", "decode"), "not a usage[\\s\\S]*'decode' is not module:Class"),
        ('{"format": 2}', "newer version of this package"),
    ):
        usage.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(ManifestError, match=f"recognition.json: .*{said}"):
            recognition_manifest(Path("videos"), "it", Path("out"))


def test_a_model_that_does_not_belong_to_the_manifest_any_more_is_refused() -> None:
    trained("demo.yaml", ["decode.frames=30"])
    Path("runs/it/plan.json").write_text('{"train": {"keys": ["new"]}}')
    for exported, refused in (('{"train": "old"}', True), ("{}", True), ('{"train": "new"}', False)):
        Path("runs/it/exported.json").write_text(exported)
        if refused:
            for used in (lambda: recognition_manifest(Path("videos"), "it", Path("out")), lambda: model_folder("it")):
                with pytest.raises(ManifestError, match="changed since this model was trained; finish it first"):
                    used()
        else:
            recognition_manifest(Path("videos"), "it", Path("out"))


def test_two_recognitions_into_one_folder_at_the_same_time_are_refused(tmp_path):
    with (
        alone_in(tmp_path / "new" / "out"),
        alone_in(tmp_path / "other"),
        pytest.raises(ManifestError, match=r"new/out: another recognition is at work there: wait .* as --out"),
        alone_in(tmp_path / "new" / "out"),
    ):
        pytest.fail("both are at work")
    with alone_in(tmp_path / "new" / "out"):
        pass


def test_nothing_else_is_overwritten() -> None:
    trained("demo.yaml")
    with pytest.raises(ManifestError, match="runs/it: is the folder of another run"):
        recognition_manifest(Path("videos"), "it", Path("runs/it"))
    for stranger in ("[1]", '{"stages": 5}', "{"):
        Path("manifest.json").write_text(stranger)
        with pytest.raises(ManifestError, match="give another folder as --out"):
            recognition_manifest(Path("videos"), "it", Path())
    Path("out").mkdir()
    Path("out/manifest.json").write_text(json.dumps(recognition_manifest(Path("videos"), "it", Path("out")).resolved))
    recognition_manifest(Path("videos"), "it", Path("out"))


def test_what_is_replaced_is_said() -> None:
    trained("demo.yaml")
    here, out = Path.cwd(), Path("out")
    before = recognition_manifest(Path("videos/a.mp4"), "it", out)
    assert what_is_replaced(before, out) is None
    out.mkdir()
    (out / "manifest.json").write_text(json.dumps(before.resolved))
    assert what_is_replaced(recognition_manifest(here / "videos/a.mp4", "it", out), out) is None
    said = f"note: out holds recognitions of {here}/videos/a.mp4: they are replaced by those of {here}/videos"
    assert what_is_replaced(recognition_manifest(Path("videos"), "it", out), out) == said


@pytest.mark.parametrize("config", ["[]", "{", '{"preprocessing": null}', '{"preprocessing": {"seconds": "long"}}'])
def test_a_model_that_does_not_say_how_long_its_clips_were(config: str) -> None:
    trained("demo.yaml")
    Path("runs/it/model/config.json").write_text(config)
    manifest = recognition_manifest(Path("videos"), "it", Path("out"))
    assert "window" not in next(spec for spec in manifest.stages if spec.name == "index").parameters


def test_a_model_of_skeletons_alone_recognizes_no_videos() -> None:
    trained("listing_pose.yaml", VIDEOS_LIST="list.csv")
    with pytest.raises(ManifestError, match="runs/it/model: this model was trained on skeleton files alone"):
        recognition_manifest(Path("videos"), "it", Path("out"))


def recognize(*arguments: str) -> Done:
    return command("recognize", *arguments, "--executor", "local")


def test_one_video_in_short_windows() -> None:
    trained("demo.yaml", RGB)
    save_model(preprocessing={"data": "drawn people"})
    write_video(Path("videos/short"), 200, "mp4")
    done = recognize("videos/short", "--model", "it", "--out", "out", "--window", "0.01")
    assert done.returncode == 2
    assert "'window' should be greater than or equal to 0.1" in done.stderr
    write_video(Path("videos/beyond.mp4"), 20)
    done = recognize("videos/short", "--model", "it", "--out", "out", "--window", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note: the model was trained on drawn people\n" in done.stdout
    assert done.stdout.endswith(f" in 1 video: {Path('out/recognitions.html').absolute()}\n")
    with Path("out/recognitions.csv").open(newline="") as file:
        segments = list(csv.DictReader(file))
    assert {row["file"] for row in segments} == {"short"}
    assert (segments[0]["start"], segments[-1]["end"]) == ("0", "8")
    with Path("out/windows.csv").open(newline="") as file:
        assert [row["start"] for row in csv.DictReader(file)] == ["0", "2", "4"]
    assert not Path("out/previews").exists()
    done = recognize("videos/short", "--model", "it", "--out", "out", "--window", "4", "--previews")
    assert done.returncode == 0 and "nothing to do" in done.stdout, done.stdout + done.stderr
    assert Path("out/previews/short.mp4").is_file(), "browsers do not know a file without an extension"
    assert '"preview":"previews/short.mp4"' in Path("out/recognitions.html").read_text(encoding="utf-8")


def test_failures_are_not_listed_without_end() -> None:
    trained("demo.yaml", RGB)
    save_model()
    for number in range(110):
        Path(f"videos/{number:03}.mp4").write_text("no video")
    for number in range(30):
        Path(f"videos/{number:02}.txt").touch()
    done = recognize("videos", "--model", "it", "--out", "out")
    assert done.returncode == 1
    assert "skipped 099.mp4: " in done.stdout and "skipped 100.mp4" not in done.stdout
    assert "and 10 more videos: pipeline failures " in done.stdout
    assert "skipped 19.txt: " in done.stdout and "skipped 20.txt" not in done.stdout
    assert "skipped 10 more files: not a video by its extension\n" in done.stdout


def test_a_video_is_named_once_however_many_of_its_windows_failed() -> None:
    trained("demo.yaml", RGB)
    save_model()
    write_video(Path("videos/empty.mp4"), 200)
    content = bytearray(Path("videos/empty.mp4").read_bytes())
    frames = slice(content.index(b"mdat") + 4, content.index(b"moov") - 4)
    content[frames] = bytes(frames.stop - frames.start)
    Path("videos/empty.mp4").write_bytes(content)
    Path("videos/text.mp4").write_text("no video")
    write_video(Path("videos/good.mp4"), 20)
    done = recognize("videos", "--model", "it", "--out", "out", "--window", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    named = [line.partition(": ")[0] for line in done.stdout.splitlines() if line.startswith("skipped ")]
    assert named == ["skipped empty.mp4", "skipped text.mp4"]


def test_a_folder_of_good_and_bad_files() -> None:
    trained("demo.yaml", RGB)
    save_model()
    write_video(Path("videos/short.mp4"), 20)
    write_video(Path("videos/deep/long.mp4"), 100)
    Path("videos/text.mp4").write_text("no video")
    Path("videos/notes.txt").write_text("no video")
    done = recognize("videos", "--model", "it", "--out", "out", "--window", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped notes.txt: not a video by its extension\n" in done.stdout
    assert "skipped text.mp4: " in done.stdout
    with Path("out/recognitions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == sorted(row["file"] for row in rows)
    assert {row["file"] for row in rows} == {"deep/long.mp4", "short.mp4"}
    assert {row["label"] for row in rows} <= {"a", "b", "c"}
    assert pq.read_table("out/recognitions.parquet").num_rows == len(rows)
    assert pq.read_table("out/windows.parquet").num_rows == 4
    assert [line.split(",")[0] for line in Path("out/failures.csv").read_text().splitlines()[1:]] == ["text.mp4"]


def test_each_person_gets_stages_of_their_own() -> None:
    trained("demo.yaml")
    manifest = recognition_manifest(Path("videos"), "it", Path("out"), per_person=True)
    stages = {spec.name: spec for spec in manifest.stages}
    assert stages["cache"].uses == "stages.cache.people:CachePeople"
    assert stages["cache"].parameters == {"size": 80, "neighbors": 1}
    assert stages["predict"].uses == "stages.predict.people:PredictPeople"
    assert stages["pose"].parameters["persons"] == 10
    nodes = build_graph(manifest).nodes
    assert set(nodes["cache"].needs) == {"decode", "pose"}
    trained("demo.yaml", RGB)
    with pytest.raises(ManifestError, match="was trained without skeletons, which --per-person needs"):
        recognition_manifest(Path("videos"), "it", Path("out"), per_person=True)


def test_a_score_for_a_share_that_is_right() -> None:
    trained("demo.yaml", RGB)
    save_model(min_scores={0.9: 0.625}, validation_clips=40)
    assert least_score("it", 0.9) == 0.625
    with pytest.raises(ManifestError, match="runs/it/model: the model knows no score"):
        least_score("it", 0.99)
    done = recognize("videos", "--model", "it", "--out", "out", "--right", "0.9", "--min-score", "0.5")
    assert done.returncode == 2 and "--right chooses the least score" in done.stderr


def test_what_lies_in_out_is_not_recognized() -> None:
    trained("demo.yaml", RGB)
    save_model()
    for path in ("videos/a.mp4", "videos/out/overlay/a.mp4"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_video(Path(path), 20)
    done = recognize("videos", "--model", "it", "--out", "videos/out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert pq.read_table("videos/out/recognitions.parquet")["file"].to_pylist() == ["a.mp4"]


def test_a_folder_is_called_by_its_name_and_strides_are_not_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    trained("demo.yaml", RGB)
    save_model()
    here = Path.cwd()
    (here / "videos" / "inner").mkdir(parents=True)
    monkeypatch.chdir("videos/inner")
    manifest = recognition_manifest(Path(".."), str(here / "runs/it"), Path("out"))
    assert {spec.name: spec for spec in manifest.stages}["recognitions"].parameters["root"] == str(here / "videos")
    with pytest.raises(ManifestError, match="'stride' should be greater than 0"):
        build_graph(recognition_manifest(Path(".."), str(here / "runs/it"), Path("out"), Windows(stride=0)))
