"""``pipeline recognize --overlay`` on drawn people, by a network with random weights."""

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from command_line import Done, command

from pipeline.manifest import load_manifest
from pipeline.runs import Options, run
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.synthetic.clip import Clip
from stages.synthetic.writing import Order, write
from tests.plugins.trained_model import trained


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recognized once: two good videos with a name in common, and a bad one."""
    home = tmp_path_factory.mktemp("home")
    for number, name in enumerate(("one.mp4", "sub/one.mp4")):
        (home / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        write(Order(Clip(5, "test", "push", number, 128), home / "videos" / name, None))
    (home / "videos" / "bad.mp4").write_text("no video")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        trained("demo.yaml")
        names = ("a", "b", "c")
        config = RecognizerConfig(class_names=names, modality="rgb+pose", frames=8, size=64, width=8, blocks=1)
        Recognizer(config).save_pretrained("runs/it/model")
        done = recognize("--export", "srt", "--export", "vtt,jsonl")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 videos in out/overlay\n" in done.stdout
    return home


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def recognize(*more: str) -> Done:
    return recognize_only("--overlay", *more)


def recognize_only(*more: str) -> Done:
    arguments = ["--model", "it", "--out", "out", "--window", "1", "--executor", "local"]
    return command("recognize", "videos", *arguments, *more)


def drawn() -> dict[str, int]:
    return {path.relative_to("out/overlay").as_posix(): path.stat().st_mtime_ns for path in Path("out").rglob("*.mp4")}


def test_every_picture_is_drawn_with_label_and_people() -> None:
    assert set(drawn()) == {"one.mp4.mp4", "sub/one.mp4.mp4"}
    with av.open("videos/one.mp4") as container:
        times = [frame.time for frame in container.decode(video=0)]
    with av.open("out/overlay/one.mp4.mp4") as container:
        frames = list(container.decode(video=0))
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-3)
    images = [frame.to_ndarray(format="rgb24").astype(int) for frame in frames]
    captions = [bool((image[2:6, -40:] < 110).all() and (image[:24, :200] > 200).any()) for image in images]
    blue = [bool(np.any((image[..., 2] > 200) & (image[..., 0] < 110))) for image in images]
    assert all(captions)
    assert np.mean(blue) > 0.9


def test_what_shows_the_same_is_not_drawn_again() -> None:
    before = drawn()
    again = recognize()
    assert "2 videos in out/overlay, 2 of them drawn before\n" in again.stdout, again.stdout + again.stderr
    assert drawn() == before
    Path("out/overlay/one.mp4.mp4").unlink()
    shutil.copy("videos/one.mp4", "videos/sub/one.mp4")
    recognize()
    assert set(drawn()) == set(before)
    assert not set(drawn().values()) & set(before.values())


def test_what_shows_another_video_is_drawn_again() -> None:
    record = Path("out/overlay/drawn.json")
    drawn = json.loads(record.read_text())
    record.write_text(json.dumps(drawn | {"one.mp4.mp4": drawn["sub/one.mp4.mp4"]}))
    assert "2 videos in out/overlay, 1 of them drawn before\n" in recognize().stdout
    assert json.loads(record.read_text()) == drawn


def test_drawings_of_earlier_results_are_named_until_they_are_drawn_again() -> None:
    before = drawn()
    assert "earlier results" not in recognize_only().stdout
    left = "out/overlay shows earlier results: one.mp4.mp4, sub/one.mp4.mp4; --overlay draws them again\n"
    assert left in recognize_only("--min-score", "1").stdout
    assert drawn() == before
    assert "2 videos in out/overlay\n" in recognize("--min-score", "1").stdout
    assert "earlier results" not in recognize_only("--min-score", "1").stdout
    assert not set(drawn().values()) & set(before.values())
    assert "2 videos in out/overlay\n" in recognize().stdout


def test_no_drawing_stays_under_a_former_name_or_of_what_can_no_longer_be_read() -> None:
    overlay = Path("out/overlay")
    record = overlay / "drawn.json"
    for name in ("one.mp4", "bad.mp4.mp4", "somebodys.mp4"):
        for kind in (".mp4", ".png"):
            shutil.copy((overlay / "one.mp4.mp4").with_suffix(kind), (overlay / name).with_suffix(kind))
    record.write_text(json.dumps(json.loads(record.read_text()) | {"one.mp4": "1", "bad.mp4.mp4": "2"}))
    left = "out/overlay shows earlier results: bad.mp4.mp4, one.mp4; --overlay draws them again\n"
    assert left in recognize_only().stdout
    assert "2 videos in out/overlay, 2 of them drawn before\n" in recognize().stdout
    assert set(drawn()) == {"one.mp4.mp4", "sub/one.mp4.mp4", "somebodys.mp4"}
    assert {path.name for path in overlay.glob("*.png")} == {"one.mp4.png", "somebodys.png"}
    assert set(json.loads(record.read_text())) == {"one.mp4.mp4", "sub/one.mp4.mp4"}


def test_a_video_that_is_gone_costs_one_line(home: Path) -> None:
    Path("out/overlay/drawn.json").write_text("[]")
    from stages.commands.recognition_overlay import overlay_items
    from stages.commands.showing import show_items

    result = run(load_manifest(Path("out/manifest.json"), [], {}), Options(executor="local"))
    items = overlay_items(result.plan, Path("out"))
    content = Path("videos/one.mp4").read_bytes()
    Path("videos/one.mp4").write_bytes(b"no video any more")
    try:
        bad, good = show_items(items, Path("out/overlay"), lambda event: None)
    finally:
        Path("videos/one.mp4").write_bytes(content)
    assert bad.shown is None and "not a video" in bad.error
    assert good.shown is not None and good.shown.movie.exists()
    assert list(json.loads(Path("out/overlay/drawn.json").read_text())) == ["sub/one.mp4.mp4"]


def test_formats_beside_it() -> None:
    assert {path.name for path in Path("out/subtitles").iterdir()} == {"one.mp4.srt", "one.mp4.vtt", "sub"}
    assert len(Path("out/recognitions.jsonl").read_text().splitlines()) >= 2


def test_an_unknown_format() -> None:
    done = recognize("--export", "vtt,srtt")
    assert done.returncode == 2
    assert "--export: no format is called 'srtt'; did you mean 'srt'?" in done.stderr
