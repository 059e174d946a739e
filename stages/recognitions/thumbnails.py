"""Thumbnails of segments: the frame nearest to the middle of each, with the skeletons on it. Where people are told
apart, it is one in which the person is seen, with a box around them while the rest is dim."""

from bisect import bisect
from collections.abc import Collection, Iterator, Mapping, Sequence

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.parquet import ParquetReader, reading
from pipeline.stage import Row
from pipeline.stage_inputs import TableFiles
from stages.cache.shards import keypoints_of
from stages.images import encoded, tile
from stages.overlay import draw_skeletons
from stages.recognitions.people import Track
from stages.recognitions.videos import Person

SIDE = 192
"""Longer side in pixels."""
QUALITY = 75
MOST = 2000
"""A page with more of them would be too large."""
ACCENT = (255, 221, 64)
"""Color of the box around the person whose segment it is."""
DIM = 0.45
"""Brightness of the rest, relative to that of the box."""
MARGIN = 0.15
"""Of that box around the joints, on each side, relative to its longer side."""


def add_thumbnails(
    videos: Sequence[Row],
    windows_of: Mapping[str, Sequence[Row]],
    people_of: Mapping[str, Mapping[str, Mapping[int | None, Person]]],
    frames: TableFiles,
    skeletons: TableFiles | None,
) -> None:
    """Give the first ``MOST`` segments of rows of RECOGNITIONS their thumbnails, where the frame can be read.

    windows_of: the rows of the index of each file, in order of time. people_of: by file, what ``numbered`` gives.
    """
    wanted: dict[str, list[tuple[Row, float, Track | None]]] = {}
    left = MOST
    for video in videos:
        people = people_of[video["file"]]
        clips: dict[int | None, list[Row]] = {}  # in which each person is
        for clip in windows_of[video["file"]]:
            for person in people.get(clip["clip_id"], ()):
                clips.setdefault(person, []).append(clip)
        middles = {person: [_middle(clip) for clip in own] for person, own in clips.items()}
        for segment in video["segments"][:left]:
            person, middle = segment["person"], (segment["start"] + segment["end"]) / 2
            after = bisect(middles[person], middle)
            near = range(max(after - 1, 0), min(after + 1, len(clips[person])))
            nearest = min(near, key=lambda i: abs(middles[person][i] - middle))
            clip_id = clips[person][nearest]["clip_id"]
            wanted.setdefault(clip_id, []).append((segment, middle, people[clip_id][person].track))
        left -= len(video["segments"][:left])
    poses = _poses(skeletons, wanted.keys()) if skeletons else {}
    for row in _rows(frames, wanted.keys()):
        times = np.array(row["times"] or range(len(row["frames"])), np.float64)
        for segment, middle, track in wanted[row["clip_id"]]:
            seen = track and track.seen()
            box = None
            if seen and len(seen.times):
                nearest = _nearest(seen.times, middle)
                box, middle = seen.boxes[nearest], seen.times[nearest]
            segment["thumbnail"] = _thumbnail(row, _nearest(times, middle), poses.get(row["clip_id"]), box)


def _middle(clip: Row) -> float:
    """Of a window, in seconds; a clip that ends with the file is the only one."""
    start: float = clip["start"] or 0.0
    return start if clip["end"] is None else (start + clip["end"]) / 2


def _nearest(times: np.ndarray, time: float) -> int:
    return int(np.abs(times - time).argmin())


def _rows(frames: TableFiles, wanted: Collection[str]) -> Iterator[Row]:
    """The wanted rows of FRAMES, one in memory at a time."""
    for path in frames.paths:
        with frames.open(path) as file, reading(path):
            parquet = ParquetReader(file)
            listed = parquet.read(["clip_id", "error"]).to_pylist()
            for i, row in enumerate(listed):
                if row["error"] is None and row["clip_id"] in wanted:
                    yield parquet.read_row_group(i, ["clip_id", "frames", "times"]).to_pylist()[0]


def _poses(skeletons: TableFiles, wanted: Collection[str]) -> dict[str, Row]:
    ids = pa.array(wanted, pa.string())
    found: dict[str, Row] = {}
    for path in skeletons.paths:
        table = skeletons.read_one(path, ["clip_id", "error", "keypoints", "persons", "layout"])
        table = table.filter(pc.is_in(table["clip_id"], ids))
        found |= {row["clip_id"]: row for row in table.to_pylist() if row["error"] is None}
    return found


def _thumbnail(row: Row, i: int, pose: Row | None, box: np.ndarray | None) -> bytes | None:
    image = cv2.imdecode(np.frombuffer(row["frames"][i], np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        return None
    small = tile(image, SIDE)
    if pose is not None:
        small = draw_skeletons(small, keypoints_of(pose)[:, i], pose["layout"])
    if box is not None:
        small = _marked(small, box)
    return encoded(small, ".jpg", QUALITY)


def _marked(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The image in which only a box around joints, relative to it, is as bright as before."""
    height, width = image.shape[:2]
    low, high = np.split(box * (width, height, width, height), 2)
    margin = MARGIN * (high - low).max()
    x1, y1 = np.maximum(low - margin, 0).round().astype(int).tolist()
    x2, y2 = np.minimum(high + margin, (width, height)).round().astype(int).tolist()
    marked: np.ndarray = (image * DIM).astype(np.uint8)
    marked[y1:y2, x1:x2] = image[y1:y2, x1:x2]
    return cv2.rectangle(marked, (x1, y1), (x2 - 1, y2 - 1), ACCENT, 2)
