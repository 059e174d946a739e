"""Real video files for tests: every frame shows its own number; whole, or broken as files are in practice."""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BLOCK = 16
"""Pixels; a frame's number is written in blocks of this size, black and white, the lowest bit first."""
BITS = 7


def numbered_frame(number: int, height: int = 96, width: int = 128) -> np.ndarray:
    """A picture with its number in the top row, over a texture that moves: uint8 H,W,3."""
    texture = np.random.default_rng(0).integers(60, 196, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    frame = np.roll(texture.repeat(8, 0).repeat(8, 1), 3 * number, axis=1)[:height, :width].copy()
    for bit in range(BITS):
        frame[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (number >> bit & 1)
    return frame


def number_of(frame: np.ndarray) -> int:
    """The number a frame shows."""
    middles = frame[BLOCK // 2, BLOCK // 2 : BITS * BLOCK : BLOCK].mean(axis=1)
    return int(sum((middles > 127) << np.arange(BITS)))


def write_video(
    path: Path,
    count: int = 40,
    codec: str = "libx264",
    rate: int = 25,
    milliseconds: Sequence[int] | None = None,
    height: int = 96,
    width: int = 128,
    gop: int = 10,
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode ``count`` numbered frames, at a constant rate or shown at the given ``milliseconds``.

    In a thread of its own: where it may, SVT-AV1 gives the one that calls it real-time priority for good. All that this
    one starts would inherit that, and whole Ray clusters of later tests would leave others no processor.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    base = Fraction(1, rate) if milliseconds is None else Fraction(1, 1000)

    def encode() -> None:
        with av.open(str(path), "w", options=container_options or {}) as container:
            stream = container.add_stream(codec, rate=rate, options=options or {})
            stream.height, stream.width, stream.pix_fmt = height, width, pixels
            stream.codec_context.gop_size = gop
            stream.codec_context.time_base = base
            for number in range(count):
                frame = av.VideoFrame.from_ndarray(numbered_frame(number, height, width), format="rgb24")
                frame.pts, frame.time_base = number if milliseconds is None else milliseconds[number], base
                container.mux(stream.encode(frame))
            container.mux(stream.encode())

    with ThreadPoolExecutor(1) as thread:
        thread.submit(encode).result()
    return path


def write_sound(path: Path) -> Path:
    """A file with one second of silence and no video stream."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def cut_by_copying(source: Path, target: Path, start: float) -> Path:
    """Cut between keyframes without encoding: frames before ``start`` stay in the file, hidden by an edit list."""
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = read.streams.video[0]
        copy = write.add_stream_from_template(stream)
        offset = int(start / stream.time_base)
        read.seek(offset, stream=stream, backward=True)
        for packet in read.demux(stream):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - offset, packet.dts - offset, copy
                write.mux(packet)
    return target


def turned(source: Path, target: Path, degrees: int) -> Path:
    """A copy of an MP4 file whose rotation tag asks for a turn of 90, 180 or 270 degrees clockwise."""
    data = bytearray(source.read_bytes())
    matrix_at = data.find(b"tkhd") + 44  # version 0: 4 name, 4 flags, 20 times and ids, 8 reserved, 8 layer to volume
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = np.array([cosine, sine, 0, -sine, cosine, 0, 0, 0, 1 << 14]) << 16
    data[matrix_at : matrix_at + 36] = matrix.astype(">i4").tobytes()
    target.write_bytes(data)
    return target


def truncated(source: Path, target: Path, share: float = 0.6) -> Path:
    """The first part of a file, as an interrupted download leaves it."""
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def damaged(source: Path, target: Path, numbers: Sequence[int], kind: str = "zeros") -> Path:
    """A copy with packets (counted in the file's order) overwritten by zeros, or by noise from their middle on."""
    shutil.copy(source, target)
    with av.open(str(source)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    with target.open("r+b") as file:
        for position, size in (packets[number] for number in numbers):
            skip = 0 if kind == "zeros" else size // 2
            file.seek(position + skip)
            noise = np.random.default_rng(position).bytes(size - skip)
            file.write(bytes(size - skip) if kind == "zeros" else noise)
    return target
