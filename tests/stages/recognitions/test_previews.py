import os
from pathlib import Path
from urllib.parse import unquote

import av
import fsspec
import numpy as np
import pytest

from stages.recognitions import previews as module
from stages.recognitions.exported_files import Places
from stages.recognitions.page import page_data, write_page
from stages.recognitions.previews import is_played, preview_of, preview_path, write_preview, write_previews
from stages.showing.footage import Footage
from stages.video import container as container_module


def write_movie(path, codec, pixels="yuv420p", size=(64, 48), sound=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        voice = container.add_stream("mp3", rate=44100) if sound else None
        for i in range(20):
            image = np.full((size[1], size[0], 3), 10 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
        if voice:
            tone = (np.sin(np.arange(88200) / 20) * 9000).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2, 0).T.reshape(1, -1), format="s16", layout="stereo")
            frame.sample_rate = 44100
            container.mux(voice.encode(frame))
            container.mux(voice.encode())
    return path


def row(file, segments=1):
    segment = {"start": 0.0, "end": 1.0, "person": None, "label": "wave", "score": 0.5}
    segment |= {"nearest": None, "thumbnail": None}
    known = {"file": file, "error": None, "failed": 0, "class_names": ["wave"], "windows": []}
    return known | {"segments": [segment] * segments}


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "plays"),
    [
        ("a.mp4", "libx264", "yuv420p", True),
        ("a.MOV", "libx264", "yuv420p", True),
        ("a.webm", "libvpx-vp9", "yuv420p", True),
        ("a.mp4", "libx264", "yuv444p", False),
        ("a.mp4", "mpeg4", "yuv420p", False),
        ("a.avi", "libx264", "yuv420p", False),
        ("a.mkv", "libx264", "yuv420p", False),
    ],
)
def test_what_browsers_play(tmp_path, name, codec, pixels, plays):
    assert is_played(write_movie(tmp_path / name, codec, pixels)) is plays


def test_previews_are_small_and_whole_with_sound(tmp_path):
    places = Places(tmp_path / "in", tmp_path / "out")
    root, out = places
    write_movie(root / "sub" / "a.avi", "mpeg4", size=(96, 720), sound=True)
    write_movie(root / "b.mp4", "libx264")
    write_movie(root / "c.avi", "mpeg4")
    videos = [row("b.mp4"), row("c.avi", segments=0), row("sub/a.avi")]
    assert write_previews(videos, places) == []
    assert [path.name for path in out.rglob("*.*")] == ["a.avi.mp4"]
    preview = preview_path(videos[2], places)
    assert is_played(preview)
    with av.open(str(preview)) as container:
        film, sound = container.streams.video[0], container.streams.audio[0]
        assert (film.width, film.height, film.frames) == (64, 480, 20)
        assert float(film.duration * film.time_base) == pytest.approx(2.0, abs=0.05)
        assert float(sound.duration * sound.time_base) == pytest.approx(2.0, abs=0.1)
    assert page_data(videos, places)["videos"][2]["preview"] == "previews/sub/a.avi.mp4"


def test_one_bad_file_costs_a_line(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.avi").write_bytes(b"RIFF")
    write_movie(tmp_path / "in" / "b.avi", "mpeg4")
    places = Places(tmp_path / "in", tmp_path)
    text, gone = write_previews([row("a.avi"), row("b.avi"), row("gone.mp4")], places)
    assert text.startswith("no preview of a.avi: this is a text file, not a video")
    assert gone.startswith("no preview of gone.mp4: no such file")
    assert [path.name for path in (tmp_path / "previews").iterdir()] == ["b.avi.mp4"]


def test_a_preview_is_made_again_only_for_a_changed_video(tmp_path):
    source = write_movie(tmp_path / "a.avi", "mpeg4")
    places = Places(tmp_path, tmp_path)
    preview = preview_path(row("a.avi"), places)
    states = []
    for _ in range(3):
        write_previews([row("a.avi")], places)
        states.append(preview.stat().st_ino)
        if len(states) == 2:
            write_movie(source, "mpeg4", size=(32, 32))
    assert states[0] == states[1] != states[2]


def test_the_page_plays_a_preview_only_of_this_state_of_the_video(tmp_path):
    videos, places = [row("a.avi")], Places(tmp_path / "in", tmp_path / "out")
    source = write_movie(tmp_path / "in" / "a.avi", "mpeg4")
    write_previews(videos, places)
    assert page_data(videos, places)["videos"][0]["preview"] == "previews/a.avi.mp4"
    state = source.stat()
    os.utime(source, ns=(state.st_atime_ns, state.st_mtime_ns + 10**10))
    assert page_data(videos, places)["videos"][0]["preview"] is None
    source.unlink()
    assert page_data(videos, places)["videos"][0]["preview"] == "previews/a.avi.mp4"
    preview_path(videos[0], places).unlink()
    assert page_data(videos, places)["videos"][0]["preview"] is None


@pytest.mark.parametrize("grain", module.GRAINS)
def test_file_systems_that_round_times(tmp_path, grain):
    video, places = row("a.avi"), Places(tmp_path, tmp_path / "out")
    source = write_movie(tmp_path / "a.avi", "mpeg4")
    os.utime(source, ns=(0, 1_700_000_001_987_654_321))
    write_previews([video], places)
    preview = preview_path(video, places)
    kept = source.stat().st_mtime_ns
    os.utime(preview, ns=(0, kept - kept % grain))
    assert preview_of(video, places) == preview
    os.utime(preview, ns=(0, kept - 3 * 10**9))
    assert preview_of(video, places) is None


def test_a_video_that_changes_while_its_preview_is_written(tmp_path, monkeypatch):
    video, places = row("a.avi"), Places(tmp_path, tmp_path / "out")
    source = write_movie(tmp_path / "a.avi", "mpeg4")
    os.utime(source, ns=(0, 10**18))
    frames = Footage.pictures

    def changed_meanwhile(footage):
        for i, picture in enumerate(frames(footage)):
            if i == 5:
                os.utime(source, ns=(0, 2 * 10**18))
            yield picture

    monkeypatch.setattr(Footage, "pictures", changed_meanwhile)
    write_preview(source, preview_path(video, places))
    assert preview_of(video, places) is None


def test_names_as_long_as_file_systems_allow(tmp_path):
    names = [("x" * 300)[-length:-4] + ".avi" for length in (251, 252, 255)] + ["ü" * 125 + "a.avi"]
    places = Places(tmp_path / "in", tmp_path / "out")
    for name in names:
        write_movie(tmp_path / "in" / "short.avi", "mpeg4").rename(tmp_path / "in" / name)
    videos = [row(name) for name in names]
    assert write_previews(videos, places) == []
    found = [video["preview"] for video in page_data(videos, places)["videos"]]
    assert len(set(found)) == len(names)
    assert all((tmp_path / "out" / unquote(preview)).is_file() for preview in found)
    assert write_page(videos, places, "mine").is_file()


def test_what_is_known_of_a_video_is_not_asked_of_it_again(tmp_path, monkeypatch):
    opened, open_container = [], container_module.open_container
    monkeypatch.setattr(
        container_module, "open_container", lambda path, **how: opened.append(path) or open_container(path, **how)
    )
    places = Places(tmp_path / "in", tmp_path / "out")
    write_movie(tmp_path / "in" / "a.avi", "mpeg4")
    plays = write_movie(tmp_path / "in" / "b.mp4", "libx264")
    write_previews([row("a.avi"), row("b.mp4")], places)
    opened.clear()
    write_movie(tmp_path / "in" / "new.mp4", "libx264")
    write_previews([row("a.avi"), row("b.mp4"), row("new.mp4")], places)
    assert opened == [str(tmp_path / "in" / "new.mp4")]
    write_movie(plays, "mpeg4")
    write_previews([row("b.mp4")], places)
    assert preview_of(row("b.mp4"), places) is not None


def test_real_videos(shared_data: Path, tmp_path):
    names = ["test.avi", "demo.mp4"]
    assert write_previews([row(name) for name in names], Places(shared_data / "videos", tmp_path)) == []
    assert [path.name for path in (tmp_path / "previews").iterdir()] == ["test.avi.mp4"]
    with av.open(str(tmp_path / "previews" / "test.avi.mp4")) as container:
        assert container.streams.video[0].frames == 164


def test_videos_at_urls_have_previews_of_their_present_state(tmp_path):
    places, videos = Places(Path("memory://bucket/in"), tmp_path / "out"), [row("sub/a.mp4")]
    filesystem, _ = fsspec.core.url_to_fs("memory://bucket")
    preview = preview_path(videos[0], places)
    for frames in ((64, 48), (96, 48)):
        movie = write_movie(tmp_path / "a.mp4", "libx264", size=frames)  # which browsers play, but not from there
        filesystem.put_file(str(movie), "/bucket/in/sub/a.mp4")
        assert preview_of(videos[0], places) is None
        assert write_previews(videos, places) == []
        assert preview_of(videos[0], places) == preview
        with av.open(str(preview)) as container:
            assert (container.streams.video[0].width, container.streams.video[0].height) == frames
        before = preview.stat()
        assert write_previews(videos, places) == [] and preview.stat() == before
    assert page_data(videos, places)["videos"][0]["original"] == "memory://bucket/in/sub/a.mp4"
