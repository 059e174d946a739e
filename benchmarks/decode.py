"""How fast clips are decoded, compared with plain loops over other libraries that do the same work.

    python benchmarks/decode.py FOLDER [--frames 16] [--short-side 480] [--rounds 3]

Every method decodes the same frames of every video below FOLDER in one thread, resizes them, and encodes JPEG images of
quality 95. ``clips/s`` uses the CPU time of the fastest round of each video. ``wrong`` counts images that show another
frame than the requested one, according to a full decode with PyAV; ``failed`` counts videos that a method failed on.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import decord
import numpy as np
import pyarrow as pa

from stages.frame_sampling import sample_frames
from stages.sources.files import find_videos
from stages.tables import CLIPS
from stages.video.stage import Decode

QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 95]


def jpeg(frame_BGR: np.ndarray, short_side: int) -> bytes:
    """A JPEG image whose shorter side is at most ``short_side``."""
    height, width = frame_BGR.shape[:2]
    scale = min(1.0, short_side / min(height, width))
    if scale < 1:
        size = (round(width * scale), round(height * scale))
        frame_BGR = cv2.resize(frame_BGR, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", frame_BGR, QUALITY)[1].tobytes()


def by_stage(path: str, numbers: list[int], short_side: int) -> list[bytes]:
    stage = Decode(frames=len(numbers), short_side=short_side)
    clips = pa.Table.from_pylist([{"clip_id": "", "source": "", "path": path}], CLIPS.schema)
    return stage.process(clips, {}, None)["frames"][0].as_py()


def by_decord(path: str, numbers: list[int], short_side: int) -> list[bytes]:
    reader = decord.VideoReader(path, num_threads=1)
    return [jpeg(cv2.cvtColor(reader[n].asnumpy(), cv2.COLOR_RGB2BGR), short_side) for n in numbers]


def by_pyav(path: str, numbers: list[int], short_side: int) -> list[bytes]:
    images = {}
    with av.open(path) as container:
        container.streams.video[0].thread_type = "NONE"
        for number, frame in enumerate(container.decode(video=0)):
            if number in numbers:
                images[number] = jpeg(frame.to_ndarray(format="bgr24"), short_side)
    return [images[number] for number in numbers]


def by_opencv(path: str, numbers: list[int], short_side: int) -> list[bytes]:
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    images = []
    for number in numbers:
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        images.append(jpeg(capture.read()[1], short_side))
    capture.release()
    return images


def truth(path: str) -> np.ndarray:
    """All frames of a video, small: float32 N,24,32,3."""
    with av.open(path) as container:
        return np.stack([small(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)])


def small(frame: np.ndarray) -> np.ndarray:
    return cv2.resize(frame, (32, 24), interpolation=cv2.INTER_AREA).astype(np.float32)


def count_wrong(images: list[bytes], numbers: list[int], true: np.ndarray) -> int:
    """How many images resemble another frame of the video more than the requested one."""
    wrong = 0
    for number, image in zip(numbers, images, strict=True):
        seen = small(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR_RGB))
        distance = np.abs(true - seen).mean(axis=(1, 2, 3))
        wrong += bool(distance[number] > distance.min() + 0.25)  # frames that hardly differ do not count as wrong
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--short-side", type=int, default=480)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    decord.logging.set_level(decord.logging.QUIET)
    videos = [video.path for video in find_videos(arguments.folder, "videos")[0]]
    ways: dict[str, Callable[[str, list[int], int], list[bytes]]]
    ways = {"this stage": by_stage, "decord": by_decord, "PyAV": by_pyav, "OpenCV": by_opencv}
    seconds, wrong, failed = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0), dict.fromkeys(ways, 0)
    for path in videos:
        true = truth(path)
        numbers = sample_frames(len(true), arguments.frames)
        best = dict.fromkeys(ways, float("inf"))
        for turn in range(arguments.rounds):
            for name, way in ways.items():
                start = time.process_time()
                try:
                    images = way(path, numbers, arguments.short_side)
                except Exception:
                    failed[name] += turn == 0
                    continue
                best[name] = min(best[name], time.process_time() - start)
                wrong[name] += count_wrong(images, numbers, true) if turn == 0 else 0
        for name in ways:
            seconds[name] += best[name] if best[name] < float("inf") else 0.0
    print(
        f"{len(videos)} videos, {arguments.frames} frames each, short side {arguments.short_side}, av {av.__version__}"
    )
    for name in ways:
        speed = (len(videos) - failed[name]) / max(seconds[name], 1e-9)
        print(f"{name:12} {speed:8.1f} clips/s of CPU   wrong {wrong[name]:4}   failed {failed[name]}")


if __name__ == "__main__":
    main()
