"""What a window of a long video costs, by its place in the file: CPU time per window, container by container.

    python benchmarks/windows.py [--minutes 60] [--folder FOLDER]

Writes a film of 640x480 pixels at 25 frames per second (H.264 with B-frames, in AVI MPEG-4 with B-frames) into FOLDER
once, and reads partitions of 32 windows of 2 s with half overlap at the beginning, at a quarter, in the middle and near
the end, each in a process of its own, so that nothing is remembered.
"""

import argparse
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa

from stages.tables import CLIPS
from stages.video.stage import Decode

CODECS = {".mp4": "libx264", ".mkv": "libx264", ".ts": "libx264", ".avi": "mpeg4"}
WINDOWS, FRAMES, STRIDE, RATE = 32, 16, 1.0, 25


def write_minute(path: Path, codec: str) -> None:
    """A film of noise that moves, in which every frame costs about the same."""
    texture = np.random.default_rng(0).integers(60, 196, (60, 80, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "bf": "2", "crf": "28"} if codec == "libx264" else {"bf": "2", "q:v": "12"}
        stream = container.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        stream.codec_context.gop_size = 100
        for number in range(60 * RATE):
            frame = av.VideoFrame.from_ndarray(np.roll(texture, number, 1), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write(path: Path, minutes: int) -> None:
    """The minute again and again: its packets with later times."""
    minute = path.with_name(f"minute_{CODECS[path.suffix]}.mp4")
    if not minute.exists():
        write_minute(minute, CODECS[path.suffix])
    with av.open(str(path), "w") as target:
        stream = None
        for i in range(minutes):
            with av.open(str(minute)) as source:
                film = source.streams.video[0]
                stream = stream or target.add_stream_from_template(film)
                for packet in source.demux(film):
                    if packet.dts is not None:
                        late = round(i * 60 / packet.time_base)
                        packet.pts, packet.dts, packet.stream = packet.pts + late, packet.dts + late, stream
                        target.mux(packet)


def seconds_per_window(path: str, start: float) -> float:
    """CPU time of one partition, by window."""
    starts = [start + i * STRIDE for i in range(WINDOWS)]
    rows = [
        {"clip_id": str(i), "source": "", "path": path, "start": begin, "end": begin + 2 * STRIDE}
        for i, begin in enumerate(starts)
    ]
    began = time.process_time()
    table = Decode(frames=FRAMES).process(pa.Table.from_pylist(rows, CLIPS.schema), {}, None)
    assert table["error"].null_count == WINDOWS, table["error"].to_pylist()
    return (time.process_time() - began) / WINDOWS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path("long_videos"))
    parser.add_argument("--one", nargs=2, metavar=("FILE", "START"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(seconds_per_window(arguments.one[0], float(arguments.one[1])))
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    length = arguments.minutes * 60
    places = [0.0, length / 4, length / 2, length - WINDOWS * STRIDE - 2 * STRIDE]
    print("CPU time per window in ms at " + ", ".join(f"{place / 60:.0f} min" for place in places))
    for suffix in CODECS:
        path = arguments.folder / f"{arguments.minutes}min{suffix}"
        if not path.exists():
            write(path, arguments.minutes)
        times = []
        for place in places:
            command = [sys.executable, __file__, "--one", str(path), str(place)]
            times.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(f"{suffix:<5}" + "".join(f"{1000 * one:8.1f}" for one in times))


if __name__ == "__main__":
    main()
