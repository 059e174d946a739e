"""Written videos, read again: pictures, times, sound, and what is left of one that failed."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stages.showing.movie import Movie
from tests.plugins.video_files import number_of, numbered_frame, write_sound


def written(path: Path, times: list[float], last: float, sound_of: Path | None = None) -> Path:
    """A video of numbered pictures."""
    with Movie(path, (128, 96), 25, sound_of) as movie:
        for number, (time, until) in enumerate(zip(times, [*times[1:], last], strict=True)):
            movie.add(numbered_frame(number), time, until)
    return path


def pictures(path: Path) -> tuple[list[np.ndarray], list[float]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [frame.to_ndarray(format="rgb24") for frame in frames], [float(frame.time) for frame in frames]


def with_sound(path: Path, codec: str, video_from: float = 0.0, seconds: float = 2.0) -> Path:
    """A tone, and a video of 20 pictures that begins at a time of its own."""
    rate, base = 48000, Fraction(1, 1000)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=20)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = base
        audio = container.add_stream(codec, rate=rate)
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 12 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(1000 * video_from) + 50 * number, base
            container.mux(video.encode(frame))
        container.mux(video.encode())
        wave = np.sin(np.arange(int(rate * seconds)) * 2 * np.pi * 440 / rate)
        tone = av.AudioFrame.from_ndarray((wave * 20000).astype(np.int16)[None], format="s16", layout="mono")
        tone.sample_rate, tone.pts = rate, 0
        container.mux(audio.encode(tone))
        container.mux(audio.encode())
    return path


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def heard(path: Path) -> tuple[str, float, float, np.ndarray]:
    """Codec, first time, seconds and samples of the sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
        rate = stream.codec_context.sample_rate
        samples = np.concatenate([frame.to_ndarray().mean(0) for frame in frames])
        return stream.codec_context.codec.canonical_name, float(frames[0].time), len(samples) / rate, samples


def test_a_browser_plays_it(tmp_path: Path) -> None:
    path = written(tmp_path / "new" / "a.mp4", [i / 25 for i in range(30)], 1.2)
    with av.open(str(path)) as container:
        [stream] = container.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert container.duration == pytest.approx(1_200_000, abs=1000)
    data = path.read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat"), "a player need not wait for the end of the file"
    assert [number_of(image) for image in pictures(path)[0]] == list(range(30))
    assert list(path.parent.iterdir()) == [path]


def test_each_picture_has_its_own_time(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.08, 1.5, 1.52, 7.0, 7.001]
    path = written(tmp_path / "a.mp4", times, 9.0)
    images, shown = pictures(path)
    assert [number_of(image) for image in images] == list(range(7))
    assert shown == pytest.approx(times, abs=1e-4)
    with av.open(str(path)) as container:
        assert container.duration == pytest.approx(9_000_000, abs=2000), "the last picture stays until its end"


def test_an_odd_side_grows_by_a_copy_of_its_last_pixels(tmp_path: Path) -> None:
    image = np.full((47, 63, 3), (200, 60, 30), np.uint8)
    with Movie(tmp_path / "a.mp4", (63, 47), 25, None) as movie:
        movie.add(image, 0.0, 0.04)
    [[shown], _] = pictures(tmp_path / "a.mp4")
    assert shown.shape == (48, 64, 3)
    assert np.abs(shown.astype(int) - (200, 60, 30)).max() < 12


def test_colors_stay(tmp_path: Path) -> None:
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (255, 145, 40)]
    with Movie(tmp_path / "a.mp4", (64, 48), 25, None) as movie:
        for i, color in enumerate(colors):
            movie.add(np.full((48, 64, 3), color, np.uint8), i / 25, (i + 1) / 25)
    for color, image in zip(colors, pictures(tmp_path / "a.mp4")[0], strict=True):
        assert np.abs(image.astype(int) - color).max() <= 8


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "libopus"])
def test_sound_that_browsers_play_is_copied(tmp_path: Path, codec: str) -> None:
    source = with_sound(tmp_path / "source.mkv", codec)
    path = written(tmp_path / "a.mp4", [i / 20 for i in range(20)], 1.0, source)
    assert packets(path) == packets(source)
    assert heard(path)[0] == {"libmp3lame": "mp3", "libopus": "opus"}.get(codec, codec)
    assert heard(path)[2] == pytest.approx(2.0, abs=0.1), "also what is heard after the last picture"


def test_adts_of_a_transport_stream_is_copied(tmp_path: Path) -> None:
    source = with_sound(tmp_path / "source.ts", "aac", video_from=0.5)
    path = written(tmp_path / "a.mp4", [0.5 + i / 20 for i in range(20)], 1.5, source)
    codec, first, seconds, _ = heard(path)
    assert codec == "aac"
    assert first == pytest.approx(0.0, abs=0.05)
    assert seconds == pytest.approx(2.0, abs=0.1)
    assert pictures(path)[1][0] == pytest.approx(0.5, abs=1e-3), "later than the sound, as it was"


@pytest.mark.parametrize(("codec", "ending"), [("pcm_s16le", "avi"), ("ac3", "mkv")])
def test_other_sound_is_encoded(tmp_path: Path, codec: str, ending: str) -> None:
    source = with_sound(tmp_path / f"source.{ending}", codec)
    path = written(tmp_path / "a.mp4", [i / 20 for i in range(20)], 1.0, source)
    found, first, seconds, samples = heard(path)
    assert found == "aac"
    assert first == pytest.approx(0.0, abs=0.05)
    assert seconds == pytest.approx(2.0, abs=0.1)
    strength = np.abs(np.fft.rfft(samples[: 1 << 16]))
    assert strength.argmax() * 48000 / (1 << 16) == pytest.approx(440, abs=2)


def test_a_video_without_sound_gets_none(tmp_path: Path) -> None:
    silent = written(tmp_path / "silent.mp4", [0.0, 0.04], 0.08)
    path = written(tmp_path / "a.mp4", [0.0, 0.04], 0.08, silent)
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_sound_that_is_cut_off_is_said_so(tmp_path: Path) -> None:
    source = with_sound(tmp_path / "source.mkv", "ac3")
    source.write_bytes(source.read_bytes()[:40])
    with Movie(tmp_path / "a.mp4", (64, 48), 25, source) as movie:
        movie.add(np.zeros((48, 64, 3), np.uint8), 0.0, 0.04)
    assert movie.sound is not None and movie.sound.lost
    assert len(pictures(tmp_path / "a.mp4")[0]) == 1


def test_whatever_happens_the_old_file_or_the_whole_new_one_is_there(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", [0.0, 0.04], 0.08, write_sound(tmp_path / "tone.m4a"))
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), Movie(path, (128, 96), 25, None) as movie:
        movie.add(numbered_frame(0), 0.0, 0.04)
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.mp4", "tone.m4a"]
