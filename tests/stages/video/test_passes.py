"""Frames of random files and spans equal those of a full decode; clips of a file share one pass."""

from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
import pytest
from video_files import number_of, numbered_frame

from stages.video.film import Film
from stages.video.passes import Clip, Encoding, read_clips
from stages.video.selection import middles

ENCODING = Encoding(short_side=480, quality=95)


class Kind(NamedTuple):
    """A codec in containers that people find it in."""

    codec: str
    suffixes: tuple[str, ...]
    options: dict[str, str] = {}


KINDS = (
    Kind("libx264", (".mp4", ".mov", ".mkv", ".ts", ".mts", ".avi", ".flv"), {"preset": "ultrafast", "crf": "18"}),
    Kind(
        "libx264", (".mp4", ".mkv", ".ts"), {"preset": "ultrafast", "crf": "18", "x264-params": "open-gop=1:bframes=3"}
    ),
    Kind("libx264", (".mp4", ".mov", ".mkv"), {"preset": "ultrafast", "crf": "18", "x264-params": "intra-refresh=1"}),
    Kind("mpeg4", (".avi", ".mp4", ".mkv", ".mpg"), {"q:v": "3"}),
    Kind("mpeg2video", (".mpg", ".ts", ".vob"), {"q:v": "3"}),
    Kind("mpeg1video", (".mpg",), {"q:v": "3"}),
    Kind("libvpx", (".webm", ".mkv"), {"deadline": "realtime", "crf": "8", "b:v": "1M"}),
    Kind("libvpx-vp9", (".webm", ".mkv"), {"deadline": "realtime", "cpu-used": "8"}),
    Kind("mjpeg", (".avi", ".mov", ".mkv"), {"q:v": "3"}),
    Kind("msmpeg4", (".asf", ".avi"), {"q:v": "3"}),
)
RATES = (Fraction(25), Fraction(30), Fraction(24000, 1001), Fraction(15), Fraction(50))


def write(path: Path, kind: Kind, rng: np.random.Generator, count: int, sound: bool, late: float) -> None:
    """A film of numbered frames, beginning ``late`` seconds after its sound."""
    rate = RATES[rng.integers(len(RATES))]
    if kind.codec == "mpeg1video" or "mpeg2" in kind.codec:
        rate = Fraction(25)  # they know few others
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(kind.codec, rate=rate, options=dict(kind.options))
        stream.width, stream.height = 128, 96
        stream.pix_fmt = "yuvj420p" if kind.codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = int(rng.integers(4, 40))
        if (
            kind.codec in ("mpeg4", "mpeg2video", "libx264")
            and "x264-params" not in kind.options
            and rng.random() < 0.5
        ):
            stream.codec_context.max_b_frames = 2
        audio: Any = container.add_stream("mp2", rate=32000) if sound else None
        if audio:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), format="s16", layout="mono")
            for i in range(int((count / rate + late) * 32000 / 1152)):
                silence.pts, silence.sample_rate, silence.time_base = i * 1152, 32000, Fraction(1, 32000)
                container.mux(audio.encode(silence))
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number % 128), format="rgb24")
            frame.pts, frame.time_base = number + round(late * rate), 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio:
            container.mux(audio.encode(None))


def truth(path: Path) -> tuple[list[int], np.ndarray]:
    """What each frame of a full decode shows, and when."""
    with Film(str(path)) as film:
        pictures = [(number_of(picture.frame.to_ndarray(format="rgb24")), picture.time) for picture in film.pictures()]
    return [number for number, _ in pictures], np.array([time for _, time in pictures])


def shown(clip: Clip) -> list[int]:
    return [number_of(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)) for jpeg in clip.frames]


def check(path: Path, rng: np.random.Generator) -> None:
    """The whole file and random spans at the beginning, in the middle and at the end, in one pass and alone."""
    numbers, times = truth(path)
    first, last = float(times[0]), float(times[-1])
    spans: list[tuple[float | None, float | None]] = [(None, None)]
    for part in (0.0, 0.45, 0.9):
        start = round(first + (last - first) * (part + 0.1 * rng.random()), 3)
        spans.append((start, round(min(start + rng.uniform(0.2, 1.0), last), 3)))
    together = read_clips(str(path), spans, 5, ENCODING)
    for span, clip in zip(spans, together, strict=True):
        assert isinstance(clip, Clip), (path.name, span, clip)
        assert shown(clip) == [numbers[index] for index in clip.indices], (path.name, span)
        np.testing.assert_allclose(clip.times, times[clip.indices], atol=0.002)
        if span != (None, None):
            on_show = np.searchsorted(times, middles(*span, 5) + 1e-4, side="right") - 1  # type: ignore[arg-type]
            assert np.abs(np.array(clip.indices) - np.maximum(on_show, 0)).max() <= 1, (path.name, span)
        [alone] = read_clips(str(path), [span], 5, ENCODING)
        assert alone == clip, (path.name, span)


def random_file(folder: Path, seed: int) -> Path | None:
    """A file by its seed; None where the container does not take the codec's stream."""
    rng = np.random.default_rng(seed)
    kind = KINDS[rng.integers(len(KINDS))]
    suffix = kind.suffixes[rng.integers(len(kind.suffixes))]
    sound = bool(rng.random() < 0.5) and suffix not in (".webm",)
    late = 1.5 if sound and rng.random() < 0.4 and suffix in (".mp4", ".mov", ".mkv") else 0.0
    # Long enough for some to be sought in.
    count = int(rng.choice([12, 45, 120, 420]))
    path = folder / f"{seed:04}_{kind.codec}{suffix}"
    try:
        write(path, kind, rng, count, sound, late)
    except (av.FFmpegError, ValueError):
        return None
    return path


@pytest.mark.parametrize("seed", range(24))
def test_random_files_and_spans_equal_a_full_decode(seed: int, tmp_path: Path) -> None:
    path = random_file(tmp_path, seed)
    if path is None:
        pytest.skip("this container does not take this codec")
    check(path, np.random.default_rng(seed))


def test_a_seek_that_cannot_be_proven_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.mp4"
    write(path, KINDS[0], np.random.default_rng(1), 420, False, 0.0)
    numbers, _ = truth(path)
    sought: list[int] = []
    from_keyframe = Film.pictures_from

    def lead_elsewhere(film: Film, start: Any) -> Any:
        sought.append(start.number)
        return from_keyframe(film, start._replace(following=start.following[1:]))

    monkeypatch.setattr("stages.video.passes.SEEK_PAYS", 1.0)
    [right] = read_clips(str(path), [(5.0, 6.0)], 5, ENCODING)
    monkeypatch.setattr(Film, "pictures_from", lead_elsewhere)
    [wrong] = read_clips(str(path), [(5.0, 6.0)], 5, ENCODING)
    assert sought and sought[0] > 0
    assert isinstance(right, Clip) and right == wrong
    assert shown(right) == [numbers[index] for index in right.indices]
