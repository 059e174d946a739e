"""A model in this process recognizes what ``pipeline recognize`` does, in a file or in an array of its frames."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from trained_model import RGB, save_model, trained, write_video

from pipeline import load_model, recognize
from pipeline.errors import ClipError, ManifestError
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.api.model import Model, Recognition
from stages.synthetic.clip import Clip
from stages.synthetic.writing import Order, write
from stages.video.film import Film
from stages.video.seen import as_seen

FPS = 16.0
"""Of drawn videos."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder, without run and store, and a video of two drawn people."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        trained("demo.yaml")
        torch.manual_seed(0)
        names = ("wave", "<b>", "fall")
        config = RecognizerConfig(class_names=names, modality="rgb+pose", frames=8, size=64, width=8, blocks=1)
        Recognizer(config).save_pretrained("runs/it/model")
        shutil.move("runs/it/model", "copied")
        shutil.rmtree("runs")
        write(Order(Clip(5, "test", "push", 1, 128), Path("push.mp4").absolute(), None))
    return home


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


@pytest.fixture(scope="module")
def model(home: Path) -> Model:
    return load_model(home / "copied")


@pytest.fixture(scope="module", name="frames_THW3")
def every_frame(home: Path) -> np.ndarray:
    """All frames of the video."""
    with Film(str(home / "push.mp4")) as film:
        return np.stack([as_seen(picture.frame, film.stream.sample_aspect_ratio) for picture in film.pictures()])


def same(one: Recognition, other: Recognition) -> None:
    assert one.probabilities == other.probabilities
    for a, b in ((one.segments, other.segments), (one.windows, other.windows)):
        assert a.drop(columns="file").equals(b.drop(columns="file"))


@pytest.mark.parametrize(
    "asked", [{"window": 1.0}, {"window": 0.0, "min_score": 0.9}, {"window": 1, "per_person": True}]
)
def test_files_and_arrays_give_what_the_command_gives(model: Model, frames_THW3: np.ndarray, asked: dict) -> None:
    found = model.recognize("push.mp4", **asked)
    for table, own in (("segments", found.segments), ("windows", found.windows)):
        theirs = recognize("push.mp4", "copied", table=table, executor="local", **asked)
        assert own.equals(theirs), table
    same(model.recognize(frames_THW3, FPS, **asked), found)
    assert set(found.segments["label"]) == {"none"} if "min_score" in asked else {found.label}


def test_the_times_of_an_array_are_its_own(model: Model, frames_THW3: np.ndarray, tmp_path: Path, monkeypatch) -> None:
    """Whatever lies in the current folder, and however few frames there are."""
    monkeypatch.chdir(tmp_path)
    write_video(Path("frames"), 250, "mp4")
    for count, fps in ((20, FPS), (20, 30.0), (1, FPS), (1, 1.0), (10, 1e4)):
        found = model.recognize(frames_THW3[:count], fps)
        for table in (found.segments, found.windows):
            assert table["start"].tolist() == [0] and table["end"].tolist() == [round(count / fps, 3)]


def test_the_current_folder_may_change(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model("copied")
    monkeypatch.chdir(tmp_path)
    same(model.recognize(home / "push.mp4"), load_model(home / "copied").recognize(home / "push.mp4"))
    assert model.class_names == ("wave", "<b>", "fall") and model.folder == home / "copied"


def test_what_is_recognized(model: Model) -> None:
    found = model.recognize(Path("push.mp4"), window=1)
    assert model.class_names == ("wave", "<b>", "fall") == tuple(found.probabilities)
    means = found.windows[list(model.class_names)].mean()
    assert found.probabilities == pytest.approx(means.to_dict(), abs=1e-4)
    assert (found.label, found.score) == (means.idxmax(), pytest.approx(means.max(), abs=1e-4))
    assert found.file == "push.mp4" and found.failures == []


def test_nothing_is_written_and_models_are_loaded_once(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    model.recognize("push.mp4")
    before = sorted(Path().rglob("*"))
    with monkeypatch.context() as patch:
        patch.setattr(Recognizer, "deserialize", None)
        patch.setattr("stages.pose.stage.build", None)
        model.recognize("push.mp4", window=1)
    assert sorted(Path().rglob("*")) == before


def test_a_notebook_shows_a_time_line_and_executes_nothing(model: Model) -> None:
    shown = model.recognize("push.mp4")._repr_html_()
    assert shown.startswith("<svg") and "<table>" in shown and "<b>" not in shown


def test_bad_input(model: Model, frames_THW3: np.ndarray) -> None:
    with pytest.raises(ManifestError, match=r"shape T,H,W,3 \(RGB\), not float64 \(28, 128, 128, 3\)"):
        model.recognize(frames_THW3 / 255, FPS)
    with pytest.raises(ManifestError, match=r"not uint8 \(128, 128, 3\)"):
        model.recognize(frames_THW3[0], FPS)
    for fps in (None, 0, float("nan")):
        with pytest.raises(ManifestError, match="fps: give the frames per second of the array"):
            model.recognize(frames_THW3, fps)
    with pytest.raises(ManifestError, match=r"no.mp4: is no file \(pipeline.recognize takes folders\)"):
        model.recognize("no.mp4")
    Path("text.mp4").write_text("no video")
    with pytest.raises(ClipError, match=r"^text.mp4: .*(video|file)"):
        model.recognize("text.mp4")
    with pytest.raises(ClipError, match=r"^frames: "):
        model.recognize(np.zeros_like(frames_THW3), FPS)  # nobody to be seen
    with pytest.raises(ManifestError, match=r"elsewhere: no run .* nor is it the folder of a model"):
        load_model("elsewhere")


def test_a_model_of_frames_alone_in_a_long_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trained("demo.yaml", RGB)
    save_model(preprocessing={"seconds": 0.1})
    write_video(Path("videos/long.mp4"), 250)
    found = load_model("it").recognize("videos/long.mp4")
    assert len(found.windows) == 199, "several partitions"
    assert found.windows.equals(recognize("videos", "it", table="windows", executor="local"))
