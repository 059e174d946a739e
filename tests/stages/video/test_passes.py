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


@pytest.mark.parametrize(("codec", "gaps"), [("mpeg4", False), ("mpeg4", True), ("mjpeg", True), ("libx264", False)])
def test_avi_is_sought_in_where_its_packets_say_which_frame_comes_out(
    codec: str, gaps: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With B-frames in MPEG-4, of which FFmpeg only guesses the presentation times; and where frames were dropped."""
    path = tmp_path / "long.avi"
    options = {"tune": "zerolatency"} if codec == "libx264" else {"q:v": "3"}
    options |= {"bf": "2"} if codec == "mpeg4" else {}
    write(path, Kind(codec, (".avi",), options), np.random.default_rng(1), 420, False, 0.0)
    if gaps:
        path = with_gaps(path, tmp_path / "gaps.avi")
    numbers, times = truth(path)
    proven: list[int] = []
    from_keyframe = Film.pictures_from

    def counted(film: Film, start: Any) -> Any:
        for picture in from_keyframe(film, start):
            proven.append(picture.number)
            yield picture

    monkeypatch.setattr("stages.video.passes.SEEK_PAYS", 1.0)
    monkeypatch.setattr(Film, "pictures_from", counted)
    for begin in (0.3, 0.6, 0.99):
        start = float(times[int(begin * 420) - 4])
        [clip] = read_clips(str(path), [(start, float(times[int(begin * 420)]))], 5, ENCODING)
        assert isinstance(clip, Clip)
        assert proven and proven[0] > 40 and set(clip.indices) <= set(proven)
        assert shown(clip) == [numbers[index] for index in clip.indices]
        np.testing.assert_allclose(clip.times, times[clip.indices], atol=0.002)


def with_gaps(source: Path, target: Path) -> Path:
    """A copy in which now and then some frames' time passes without a frame, as when a recorder drops them."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        late = 0
        for place, packet in enumerate(old.demux(old.streams.video[0])):
            if packet.dts is not None:
                late += place % 17 == 9
                packet.dts += late
                packet.pts, packet.stream = packet.dts, stream
                new.mux(packet)
    return target


def test_a_rate_in_units_of_time_is_no_rate(tmp_path: Path) -> None:
    """An AVI file whose clock counts milliseconds says 1000 frames per second, and most of its chunks are empty."""
    write(tmp_path / "film.mkv", KINDS[3], np.random.default_rng(3), 60, False, 0.0)
    with av.open(str(tmp_path / "film.mkv")) as old, av.open(str(tmp_path / "film.avi"), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    numbers, times = truth(tmp_path / "film.avi")
    [clip] = read_clips(str(tmp_path / "film.avi"), [(None, None)], 5, ENCODING)
    assert isinstance(clip, Clip) and clip.warning is None
    assert numbers == list(range(60)) and times[-1] > 1


def test_a_seek_that_cannot_be_proven_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.mp4"
    write(path, KINDS[0], np.random.default_rng(1), 420, False, 0.0)
    numbers, _ = truth(path)
    sought: list[int] = []
    from_keyframe = Film.pictures_from

    def lead_elsewhere(film: Film, start: Any) -> Any:
        sought.append(start.number)
        return from_keyframe(film, start._replace(stamps=start.stamps[1:]))

    monkeypatch.setattr("stages.video.passes.SEEK_PAYS", 1.0)
    [right] = read_clips(str(path), [(5.0, 6.0)], 5, ENCODING)
    monkeypatch.setattr(Film, "pictures_from", lead_elsewhere)
    [wrong] = read_clips(str(path), [(5.0, 6.0)], 5, ENCODING)
    assert sought and sought[0] > 0
    assert isinstance(right, Clip) and right == wrong
    assert shown(right) == [numbers[index] for index in right.indices]


def test_what_lies_far_between_spans_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans that overlap share a pass; each of the others seeks."""
    path = tmp_path / "long.mp4"
    write(path, KINDS[0], np.random.default_rng(1), 420, False, 0.0)
    begun: list[float] = []
    from_keyframe, from_beginning = Film.pictures_from, Film.pictures
    monkeypatch.setattr("stages.video.passes.SEEK_PAYS", 2.0)
    monkeypatch.setattr(Film, "pictures_from", lambda film, start: (begun.append(1), from_keyframe(film, start))[1])
    monkeypatch.setattr(Film, "pictures", lambda film: (begun.append(0), from_beginning(film))[1])
    spans = [(7.0, 7.5), (0.5, 1.0), (7.2, 7.9), (3.5, 4.0)]
    together = read_clips(str(path), spans, 5, ENCODING)
    assert begun == [0, 1, 1]
    assert together == [read_clips(str(path), [span], 5, ENCODING)[0] for span in spans]
    numbers, times = truth(path)
    for span, clip in zip(spans, together, strict=True):
        assert isinstance(clip, Clip)
        assert shown(clip) == [numbers[i] for i in clip.indices]
        assert span[0] - 0.1 <= times[clip.indices[0]] <= times[clip.indices[-1]] < span[1]
