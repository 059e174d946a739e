from pathlib import Path

import av
import numpy as np
import pytest

from stages.recognitions.page import page_data
from stages.recognitions.previews import is_played, preview_path, write_previews


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
    segment = {"start": 0.0, "end": 1.0, "person": None, "label": "wave", "score": 0.5, "thumbnail": None}
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
    root, out = tmp_path / "in", tmp_path / "out"
    write_movie(root / "sub" / "a.avi", "mpeg4", size=(96, 720), sound=True)
    write_movie(root / "b.mp4", "libx264")
    write_movie(root / "c.avi", "mpeg4")
    videos = [row("b.mp4"), row("c.avi", segments=0), row("sub/a.avi")]
    assert write_previews(videos, root, out) == []
    assert [path.name for path in out.rglob("*.*")] == ["a.avi.mp4"]
    preview = preview_path(out, "sub/a.avi")
    assert is_played(preview)
    with av.open(str(preview)) as container:
        film, sound = container.streams.video[0], container.streams.audio[0]
        assert (film.width, film.height, film.frames) == (64, 480, 20)
        assert float(film.duration * film.time_base) == pytest.approx(2.0, abs=0.05)
        assert float(sound.duration * sound.time_base) == pytest.approx(2.0, abs=0.1)
    assert page_data(videos, root, out)["videos"][2]["preview"] == "previews/sub/a.avi.mp4"


def test_one_bad_file_costs_a_line(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.avi").write_bytes(b"RIFF")
    write_movie(tmp_path / "in" / "b.avi", "mpeg4")
    text, gone = write_previews([row("a.avi"), row("b.avi"), row("gone.mp4")], tmp_path / "in", tmp_path)
    assert text.startswith("no preview of a.avi: this is a text file, not a video")
    assert gone.startswith("no preview of gone.mp4: no such file")
    assert [path.name for path in (tmp_path / "previews").iterdir()] == ["b.avi.mp4"]


def test_a_preview_is_made_again_only_for_a_changed_video(tmp_path):
    source = write_movie(tmp_path / "a.avi", "mpeg4")
    preview = preview_path(tmp_path, "a.avi")
    states = []
    for _ in range(3):
        write_previews([row("a.avi")], tmp_path, tmp_path)
        states.append(preview.stat().st_ino)
        if len(states) == 2:
            write_movie(source, "mpeg4", size=(32, 32))
    assert states[0] == states[1] != states[2]


def test_real_videos(shared_data: Path, tmp_path):
    names = ["test.avi", "demo.mp4"]
    assert write_previews([row(name) for name in names], shared_data / "videos", tmp_path) == []
    assert [path.name for path in (tmp_path / "previews").iterdir()] == ["test.avi.mp4"]
    with av.open(str(preview_path(tmp_path, "test.avi"))) as container:
        assert container.streams.video[0].frames == 164
