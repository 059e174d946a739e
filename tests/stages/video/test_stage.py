"""Decoding real files of every kind: the right frames with the right times, or the right words."""

from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow as pa
import pytest
from video_files import (
    cut_by_copying,
    damaged,
    number_of,
    numbered_frame,
    truncated,
    turned,
    write_sound,
    write_video,
)

from pipeline.errors import ClipError, StageError
from pipeline.output import LIMIT, overheard
from stages.sources.files import find_videos
from stages.tables import CLIPS, FRAMES
from stages.video.stage import Decode

UNEVEN = np.cumsum(np.random.default_rng(0).integers(20, 200, 40)).tolist()
FASTSTART = {"movflags": "faststart"}


def decode(path: Path, start: float | None = None, end: float | None = None, **parameters: object) -> dict:
    stage = Decode(**{"frames": 8, **parameters})
    clip = {"clip_id": "a", "source": "", "path": str(path), "start": start, "end": end}
    [row] = stage.process(pa.Table.from_pylist([clip], schema=CLIPS.schema), {}, stage.load({})).to_pylist()
    if row["error"]:
        raise ClipError(row["error"])
    return row


def pixels(row: dict) -> list[np.ndarray]:
    return [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB) for jpeg in row["frames"]]


def shown(row: dict) -> list[int]:
    return [number_of(image) for image in pixels(row)]


KINDS = {
    "h264.mp4": {},
    "mpeg4.avi": {"codec": "mpeg4"},
    "h264.mkv": {},
    "h264.ts": {},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "vp8.webm": {"codec": "libvpx", "options": {"deadline": "realtime"}},
    "av1.mp4": {"codec": "libsvtav1"},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "open-gop=1:log-level=none"}},
    "open_gop.mp4": {"options": {"x264-params": "open-gop=1"}},
    "animated.gif": {"codec": "gif", "pixels": "rgb8"},
    "odd.mp4": {"height": 97, "width": 129, "pixels": "yuv444p"},
    "uneven.mp4": {"milliseconds": UNEVEN},
    "uneven.mkv": {"milliseconds": UNEVEN},
}


@pytest.mark.parametrize("name", KINDS)
def test_frames_and_times_of_every_kind_of_file(name: str, tmp_path: Path) -> None:
    video = write_video(tmp_path / name, **KINDS[name])
    times = (np.array(UNEVEN) - UNEVEN[0]) / 1000 if "uneven" in name else np.arange(40) / 25
    for span in ((None, None), (0.3, 0.8), (1.2, 1.6)):
        row = decode(video, *span)
        assert shown(row) == row["indices"]
        np.testing.assert_allclose(row["times"], times[row["indices"]], atol=1e-3)
        if span[0] is not None:
            moments = span[0] + (np.arange(8) + 0.5) / 8 * (span[1] - span[0])
            assert row["indices"] == (np.searchsorted(times, moments + 1e-3, side="right") - 1).tolist()
        assert row["reader"] == "pyav" and row["warning"] is None
    height, width = KINDS[name].get("height", 96), KINDS[name].get("width", 128)
    assert (row["source_height"], row["source_width"]) == (row["height"], row["width"]) == (height, width)


def test_samples_are_the_middles_of_equal_segments(tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", count=40)
    assert decode(video, frames=4)["indices"] == [5, 15, 25, 35]
    assert decode(video, frames=40)["indices"] == list(range(40))
    assert decode(video, 0.4, 0.8, frames=5)["indices"] == [11, 13, 15, 17, 19]
    assert decode(video, 0.4, None, frames=3)["indices"] == [15, 25, 35]


def test_a_short_clip_repeats_frames(tmp_path: Path) -> None:
    assert shown(decode(write_video(tmp_path / "three.mp4", count=3), frames=6)) == [0, 0, 1, 1, 2, 2]
    single = decode(write_video(tmp_path / "one.mp4", count=1), frames=4)
    assert (single["indices"], single["times"]) == ([0] * 4, [0.0] * 4)


def test_an_edit_list_shifts_nothing(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", count=60)
    cut = cut_by_copying(whole, tmp_path / "cut.mp4", start=0.6)
    row = decode(cut, frames=9)
    assert shown(row) == [15 + index for index in row["indices"]]
    assert row["reader"] == "pyav"
    assert row["indices"][0] == 2 and row["times"][0] == pytest.approx(2 / 25)
    span = decode(cut, 1.0, 1.5)
    assert shown(span) == [15 + index for index in span["indices"]]


def test_hidden_frames_are_not_counted(tmp_path: Path) -> None:
    """VP8 writes frames that serve prediction alone; here two frames are made such by clearing their bit."""
    video = write_video(tmp_path / "video.webm", codec="libvpx", options={"deadline": "realtime"})
    with av.open(str(video)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = video.read_bytes()
    for packet in (packets[12], packets[25]):
        data = data.replace(packet, bytes([packet[0] & ~0x10]) + packet[1:])
    video.write_bytes(data)
    left = [number for number in range(40) if number not in (12, 25)]
    row = decode(video, frames=40)
    assert set(row["indices"]) == set(range(38)), "the frames before the hidden ones are shown for longer"
    assert shown(row) == [left[index] for index in row["indices"]]


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("width", [128, 112])
def test_turned_videos_come_out_upright(degrees: int, width: int, tmp_path: Path) -> None:
    """The encoded pictures lie on their side, as a phone held upright writes them."""
    size = 112 if width == 112 else 96
    plain = write_video(tmp_path / "plain.mp4", count=12, height=size, width=width)
    row = decode(turned(plain, tmp_path / "turned.mp4", degrees), frames=3)
    assert (row["height"], row["width"]) == ((width, size) if degrees != 180 else (size, width))
    for index, image in zip(row["indices"], pixels(row), strict=True):
        lying = np.rot90(image, degrees // 90)
        assert number_of(lying) == index
        assert np.abs(lying.astype(int) - numbered_frame(index, size, width)).mean() < 25


DAMAGED = {
    "moov lost": (lambda video, out: truncated(video(".mp4"), out), "moov atom not found"),
    "truncated mp4": (
        lambda video, out: truncated(video(".mp4", container_options=FASTSTART), out),
        "cut off or broken",
    ),
    "truncated mkv": (lambda video, out: truncated(video(".mkv"), out), "cut off or broken"),
    "truncated avi": (lambda video, out: truncated(video(".avi", codec="mpeg4"), out), "header announces 60 frames"),
    "zeros in mp4": (lambda video, out: damaged(video(".mp4"), out, [33, 34, 35]), "cannot be decoded"),
    "zeros in mkv": (lambda video, out: damaged(video(".mkv"), out, [33, 34, 35]), "cut off or broken"),
    "zeros in avi": (lambda video, out: damaged(video(".avi", codec="mpeg4"), out, [33, 34]), "cannot be decoded"),
    "zeros in av1": (lambda video, out: damaged(video(".mp4", codec="libsvtav1"), out, [33, 34]), "cannot be decoded"),
    "noise in h264": (lambda video, out: damaged(video(".mp4"), out, [30], "noise"), "cannot be decoded"),
    "noise in avi": (lambda video, out: damaged(video(".avi", codec="mpeg4"), out, [30], "noise"), "cannot be decoded"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_named_and_spares_what_comes_before(name: str, tmp_path: Path) -> None:
    breaks, words = DAMAGED[name]
    bad = tmp_path / "bad"
    breaks(lambda suffix, **options: write_video(tmp_path / f"good{suffix}", count=60, **options), bad)
    with pytest.raises(ClipError, match=words) as caught:
        decode(bad, frames=60)
    if name != "moov lost":
        assert "frame" in str(caught.value) and " s)" in str(caught.value)
        assert shown(decode(bad, 0.0, 0.6, frames=15)) == list(range(15))


def test_what_ffmpeg_says_of_a_damaged_file_is_kept(tmp_path: Path) -> None:
    bad = damaged(write_video(tmp_path / "good.mp4", count=60), tmp_path / "bad.mp4", [33, 34, 35])
    with overheard() as take, pytest.raises(ClipError):
        decode(bad, frames=60)
    printed = take(LIMIT)
    assert printed is not None and "FFmpeg, h264: " in printed.text


def test_frames_after_damage_are_read_from_the_next_keyframe(tmp_path: Path) -> None:
    video = write_video(tmp_path / "good.mp4", count=60)
    bad = damaged(video, tmp_path / "bad.mp4", [22, 23])
    row = decode(bad, 1.6, 2.4, frames=20)
    assert row["reader"] == "pyav" and shown(row) == list(range(40, 60))


def test_what_is_no_video_says_what_it_is(tmp_path: Path) -> None:
    def refusal(name: str) -> str:
        with pytest.raises(ClipError) as caught:
            decode(tmp_path / name)
        return str(caught.value)

    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("This is not a video.\n" * 50)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(20_000))
    (tmp_path / "folder.mp4").mkdir()
    write_sound(tmp_path / "sound.mp4")
    write_video(tmp_path / "raw.h264").rename(tmp_path / "raw.avi")
    assert "empty" in refusal("empty.mp4")
    assert "text file" in refusal("text.mp4")
    assert "not a video" in refusal("noise.mp4")
    assert "folder" in refusal("folder.mp4")
    assert "no video stream" in refusal("sound.mp4")
    assert "no such file" in refusal("gone.mp4")
    raw = decode(tmp_path / "raw.avi", frames=4)
    assert raw["warning"] == "there are no timestamps: 25 frames per second are assumed"
    assert shown(raw) == raw["indices"] == [5, 15, 25, 35]


def test_spans_beyond_the_end_are_refused(tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", count=50)
    assert decode(video, 1.0, 2.5)["indices"][-1] < 50  # annotations round
    with pytest.raises(ClipError, match=r"exceeds the video, which ends at 2\.00 s"):
        decode(video, 1.0, 4.0)
    with pytest.raises(ClipError, match=r"contains no frame of the video, which ends at 2\.00 s"):
        decode(video, 2.2, 2.8)


def test_images_are_made_smaller_never_larger(tmp_path: Path) -> None:
    video = write_video(tmp_path / "video.mp4", count=4, height=120, width=160)
    small, same = decode(video, frames=1, short_side=60), decode(video, frames=1, short_side=480)
    assert (small["height"], small["width"], small["source_height"]) == (60, 80, 120)
    assert pixels(small)[0].shape == (60, 80, 3)
    assert (same["height"], same["width"]) == (120, 160)
    assert len(decode(video, frames=1, quality=30)["frames"][0]) < len(same["frames"][0])


def test_a_partition_gives_one_row_per_clip(tmp_path: Path) -> None:
    good, bad = write_video(tmp_path / "good.mp4"), tmp_path / "bad.mp4"
    bad.touch()
    clips = pa.Table.from_pylist(
        [{"clip_id": name, "source": "", "path": str(file)} for name, file in (("a", good), ("b", bad), ("c", good))],
        schema=CLIPS.schema,
    )
    stage = Decode(frames=4)
    table = stage.process(clips, {}, stage.load({}))
    assert table.schema == FRAMES.schema
    assert table["clip_id"].to_pylist() == ["a", "b", "c"]
    assert [error is None for error in table["error"].to_pylist()] == [True, False, True]
    assert table.slice(0, 1).drop("clip_id") == table.slice(2, 1).drop("clip_id")


def test_a_reader_of_ones_own(tmp_path: Path) -> None:
    np.save(tmp_path / "video.npy", np.stack([numbered_frame(number) for number in range(20)]))
    row = decode(tmp_path / "video.npy", 0.5, 1.5, reader="own_readers:ArrayReader", frames=5)
    assert (shown(row), row["reader"]) == ([6, 8, 10, 12, 14], "array")
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(ClipError, match=r"^own_readers:ArrayReader cannot read this file$"):
        decode(tmp_path / "text.npy", reader="own_readers:ArrayReader")
    with pytest.raises(StageError, match="nowhere:Reader cannot be imported"):
        Decode(reader="nowhere:Reader").load({})


def test_planning_loads_no_decoder() -> None:
    import subprocess
    import sys

    code = (
        "import stages.video.stage, stages.sources.videos, sys; "
        "sys.exit(bool({'av', 'cv2', 'decord'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_real_videos_against_a_full_decode(shared_data: Path) -> None:
    """Every frame of every real video, as JPEG images of the whole size, next to PyAV's."""
    videos = [*find_videos(shared_data / "videos", "")[0], *find_videos(shared_data / "finegym" / "gifs", "")[0]]
    videos += find_videos(shared_data / "ut_interaction" / "set1", "")[0][::6]
    for video in videos:
        with av.open(video.path) as container:
            truth = [
                cv2.resize(f.to_ndarray(format="rgb24"), (64, 48), interpolation=cv2.INTER_AREA)
                for f in container.decode(video=0)
            ]
        row = decode(Path(video.path), frames=24, short_side=240)
        for index, image in zip(row["indices"], pixels(row), strict=True):
            seen = cv2.resize(image, (64, 48), interpolation=cv2.INTER_AREA).astype(int)
            assert np.abs(seen - truth[index]).mean() < 2, (video.name, index)
        assert decode(Path(video.path), frames=2 * len(truth), short_side=16)["indices"][-1] == len(truth) - 1
        assert np.all(np.diff(row["times"]) >= 0) and row["times"][0] >= 0
