"""``pipeline show``: videos, folders, skeleton files and clips of a run, as people ask for them."""

import os
import pickle
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from command_line import command

from pipeline.errors import ManifestError
from pipeline.manifest import load_manifest
from pipeline.runs import Options, run
from stages.commands.showing import Result, _stems, show_items
from stages.commands.showing_request import items_of
from stages.commands.showing_videos import front_end
from stages.showing.movie import Movie
from stages.synthetic.clip import Clip
from stages.synthetic.writing import Order, write
from tests.plugins.video_files import turned, write_video

MANIFEST = """\
name: seen
stages:
  index: {uses: folder, with: {root: drawn}}
  decode: {needs: index, with: {frames: 4, short_side: 128}}
  pose: {needs: decode, with: {estimator: hrnet_mini, detector: mini}}
"""
DRAWN = {"push/a.mp4": "push", "push/b.mp4": "push", "wave_left/a.mp4": "wave_left"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with drawn people, a manifest and its run, which ends with the poses."""
    home = tmp_path_factory.mktemp("home")
    for number, (name, action) in enumerate(DRAWN.items()):
        path = home / "drawn" / name
        write(Order(Clip(5, "test", action, number, 128), path, path.with_suffix(".npz") if number == 0 else None))
    (home / "drawn" / "push" / "a.npz").rename(home / "skeletons.npz")
    (home / "seen.yaml").write_text(MANIFEST)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        result = run(load_manifest(Path("seen.yaml")), Options(executor="local"))
    assert not result.errors and not result.failures
    return home


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


class Heard:
    """A display that remembers."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def __call__(self, event: Any) -> None:
        self.events.append(event)

    def close(self) -> None:
        """There is nothing to close."""


def shown(what: str | Path, *clips: str, display: Heard | None = None, **options: Any) -> list[Result]:
    asked = {"out": None, "manifest": "seen.yaml", "settings": [], "skeletons": None, "variant": None} | options
    folder, items = items_of(str(what), list(clips), **asked)
    return show_items(items, folder, display or Heard())


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def write_pyskl(path: Path, keypoints: np.ndarray, shape: tuple[int, int]) -> None:
    """A pickle of two clips, called a and b."""
    one = {
        "frame_dir": "a",
        "total_frames": keypoints.shape[1],
        "img_shape": shape,
        "original_shape": shape,
        "label": 0,
        "keypoint": keypoints[..., :2],
        "keypoint_score": keypoints[..., 2],
    }
    path.write_bytes(pickle.dumps([one, one | {"frame_dir": "b"}]))


def tree(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def test_no_two_are_drawn_into_the_same_file() -> None:
    names = ["x.mp4", "x.avi", "x.mp4.avi", "a:b.mp4", "a-b.mp4", "one.mp4", "Two.mp4", "two.mp4", "o" * 240 + ".mp4"]
    names += ["a." + "b" * 240, "\udcff.mp4", "\udcff" * 240]  # the last two are no UTF-8
    stems = [str(stem) for stem in _stems(names)]
    assert len({stem.lower() for stem in stems}) == len(names)
    assert stems[1] == "x.avi" and stems[5] == "one"
    assert max(len(os.fsencode(stem)) for stem in stems) < 220


def test_every_frame_of_a_video(tmp_path: Path) -> None:
    display = Heard()
    [result] = shown("drawn/push/a.mp4", out=tmp_path, display=display)
    assert result.shown is not None and result.shown.movie == tmp_path / "a.mp4"
    before, after = pictures(Path("drawn/push/a.mp4")), pictures(tmp_path / "a.mp4")
    assert len(after) == len(before)
    assert f"{len(before)} frames" in result.shown.facts and "2 tracks" in result.shown.facts
    changes = [
        np.abs(cv2.resize(old, new.shape[1::-1], interpolation=cv2.INTER_CUBIC).astype(int) - new).max(-1) > 70
        for old, new in zip(before, after, strict=True)
    ]
    assert all(change.mean() > 0.005 for change in changes), "somebody is drawn in every frame"
    done = [(event["done"], event["total"]) for event in display.events if event["event"] == "progress"]
    assert done == [(i + 1, len(before)) for i in range(len(before))]
    assert cv2.imread(str(tmp_path / "a.png")) is not None


def test_a_folder_with_files_that_cannot_be_shown(tmp_path: Path) -> None:
    """Rotated, odd sides, nobody in it, no video, two of the same name: each by itself."""
    videos, out = tmp_path / "in", tmp_path / "in" / "shown"
    (videos / "sub").mkdir(parents=True)
    turned(write_video(tmp_path / "upright.mp4", 2), videos / "sub" / "turned.mp4", 90)
    (videos / "broken.mp4").write_text("<html>not found</html>")
    write_video(videos / "same.mkv", 3, height=97, width=129, pixels="yuv444p")
    with Movie(videos / "same.mp4", (64, 48), 25, None) as movie:
        movie.add(np.full((48, 64, 3), 128, np.uint8), 0.0, 0.04)
    (videos / "notes.txt").write_text("not a video")
    results = {result.name: result for result in shown(videos, out=out)}
    assert sorted(results) == ["broken.mp4", "same.mkv", "same.mp4", "sub/turned.mp4"]
    assert "text file" in results["broken.mp4"].error
    written = [f"{name}.{kind}" for name in ("same.mkv", "same.mp4", "sub/turned") for kind in ("mp4", "png")]
    assert tree(out) == written
    facts = {name: result.shown.facts for name, result in results.items() if result.shown}
    assert facts["same.mp4"] == "1 frame, 0.0 s, 64 x 48; nobody found"
    assert facts["same.mkv"].startswith("3 frames, 0.1 s, 129 x 97")
    assert facts["sub/turned.mp4"].startswith("2 frames, 0.1 s, 96 x 128")
    assert pictures(out / "sub" / "turned.mp4")[0].shape == (640, 480, 3)
    assert pictures(out / "same.mkv.mp4")[0].shape == (480, 638, 3)

    again = shown(videos, out=out)
    assert sorted(result.name for result in again) == sorted(results), "what was drawn is not drawn once more"
    assert tree(out) == written


def test_clips_of_a_run(tmp_path: Path) -> None:
    results = shown("seen", "push/*", "wave_left/a.mp4", out=tmp_path)
    assert [result.name for result in results] == ["push/a.mp4", "push/b.mp4", "wave_left/a.mp4"]
    assert tree(tmp_path) == [
        f"{name}.{kind}" for name in ("push/a", "push/b", "wave_left/a") for kind in ("mp4", "png")
    ]
    for result in results:
        assert result.shown is not None and result.shown.facts.startswith("4 frames")
    after = pictures(tmp_path / "push/a.mp4")
    assert len(after) == 4
    with av.open(str(tmp_path / "push/a.mp4")) as drawn, av.open("drawn/push/a.mp4") as before:
        assert drawn.duration == pytest.approx(before.duration, rel=0.1), "at the pace of the video"


def test_some_clips_of_a_run_into_its_folder() -> None:
    results = shown("runs/seen")
    assert len(results) == 3
    assert tree(Path("runs/seen/shown"))[:2] == ["push/a.mp4", "push/a.png"]
    with pytest.raises(ManifestError, match=r"no clip is called 'pull/\*'"):
        shown("seen", "pull/*")


def test_a_skeleton_file(tmp_path: Path) -> None:
    [result] = shown("drawn/push/a.mp4", out=tmp_path, skeletons=Path("skeletons.npz"))
    assert result.shown is not None and "2 tracks" in result.shown.facts
    with np.load("skeletons.npz") as file:
        keypoints = file["keypoints"]
    images = pictures(tmp_path / "a.mp4")
    height, width = pictures(Path("drawn/push/a.mp4"))[0].shape[:2]
    scale = images[0].shape[0] / height
    for t in (0, len(images) - 1):
        x, y = (keypoints[0, t, 13, :2] + 0.5) * scale  # the left knee of the first person
        blue = images[t][round(y), round(x)].astype(int)
        assert blue[2] > 200 and blue[2] > blue[0], "a light blue disc"
    assert width * scale == pytest.approx(images[0].shape[1], abs=1)
    write_pyskl(tmp_path / "all.pkl", keypoints, (height, width))
    [same] = shown("drawn/push/a.mp4", out=tmp_path / "again", skeletons=tmp_path / "all.pkl")
    assert same.shown is not None, same.error
    assert np.abs(pictures(tmp_path / "again" / "a.mp4")[0].astype(int) - images[0]).mean() < 1
    [wrong] = shown("drawn/wave_left/a.mp4", out=tmp_path, skeletons=Path("nothing.npz"))
    assert "nothing.npz not found" in wrong.error


def test_a_folder_of_images_is_a_video(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for i, image in enumerate(pictures(Path("drawn/push/a.mp4"))[:5]):
        cv2.imwrite(str(folder / f"{i}.jpg"), image[..., ::-1])
    [result] = shown(folder, out=tmp_path / "out")
    assert result.name == "frames"
    assert result.shown is not None and result.shown.facts.startswith("5 frames, 0.2 s")


def test_requests_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"drawn/push/a.mp4: would be overwritten"):
        shown("drawn/push/a.mp4", out=Path("drawn/push"))
    with pytest.raises(ManifestError, match=r"gone.mp4: no such video"):
        shown("gone.mp4")
    with pytest.raises(ManifestError, match=r"drawn/push/a.mp4: is a video, not a run"):
        shown("drawn/push/a.mp4", "a*")
    with pytest.raises(ManifestError, match="a run, its own results"):
        shown("seen", settings=["pose.persons=3"])
    with pytest.raises(ManifestError, match="needs one video"):
        shown("drawn", skeletons=Path("skeletons.npz"))
    with pytest.raises(ManifestError, match="without effect"):
        shown("drawn/push/a.mp4", skeletons=Path("skeletons.npz"), settings=["pose.persons=3"])
    (tmp_path / "file").touch()
    with pytest.raises(ManifestError, match="is a file"):
        shown("drawn/push/a.mp4", out=tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match="no videos below"):
        shown(tmp_path / "empty")


def test_the_front_end_is_that_of_the_manifest() -> None:
    decode, pose = front_end("demo", ["pose.persons=5", "decode.quality=80"])
    assert (decode.short_side, decode.quality) == (128, 80)
    assert (pose.estimator, pose.detector, pose.persons) == ("hrnet_mini", "mini", 5)
    with pytest.raises(ManifestError, match="did you mean 'persons'"):
        front_end("demo", ["pose.person=5"])
    with pytest.raises(ManifestError, match="no stage or key is called 'train'"):
        front_end("demo", ["train.epochs=5"])
    with pytest.raises(ManifestError, match="has no stage that estimates poses"):
        front_end("listing_pose", [])


def test_as_a_command(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.mp4").write_text("not a video")
    monkeypatch.chdir(home)
    done = command("show", "seen", "wave_left/*", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/out/wave_left/a.mp4: 4 frames" in done.stdout
    failed = command("show", str(tmp_path / "broken.mp4"), "--manifest", "demo", "--out", str(tmp_path / "out"))
    assert failed.returncode == 1
    assert "not shown: broken.mp4: this is a text file" in failed.stderr
