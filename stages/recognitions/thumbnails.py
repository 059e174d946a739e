"""Thumbnails of segments: the frame nearest to the middle of each, with the skeletons on it."""

from bisect import bisect
from collections.abc import Collection, Iterator, Mapping, Sequence

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.parquet import open_parquet, reading
from pipeline.stage import Row
from pipeline.stage_inputs import TableFiles
from stages.cache.shards import keypoints_of
from stages.images import encoded, tile
from stages.overlay import draw_skeletons

SIDE = 192
"""Longer side in pixels."""
QUALITY = 75
MOST = 2000
"""A page with more of them would be too large."""


def add_thumbnails(
    videos: Sequence[Row], windows_of: Mapping[str, Sequence[Row]], frames: TableFiles, skeletons: TableFiles | None
) -> None:
    """Give the first ``MOST`` segments of rows of RECOGNITIONS their thumbnails, where the frame can be read.

    windows_of: the rows of the index of each file, in order of time.
    """
    wanted: dict[str, list[tuple[Row, float]]] = {}
    left = MOST
    for video in videos:
        clips = windows_of[video["file"]]
        middles = [_middle(clip) for clip in clips]
        for segment in video["segments"][:left]:
            middle = (segment["start"] + segment["end"]) / 2
            after = bisect(middles, middle)
            near = range(max(after - 1, 0), min(after + 1, len(clips)))
            clip = clips[min(near, key=lambda i: abs(middles[i] - middle))]
            wanted.setdefault(clip["clip_id"], []).append((segment, middle))
        left -= len(video["segments"][:left])
    poses = _poses(skeletons, wanted.keys()) if skeletons else {}
    for row in _rows(frames, wanted.keys()):
        for segment, middle in wanted[row["clip_id"]]:
            times = np.array(row["times"] if row["times"] else [0.0])
            segment["thumbnail"] = _thumbnail(row, int(np.abs(times - middle).argmin()), poses.get(row["clip_id"]))


def _middle(clip: Row) -> float:
    """Of a window, in seconds; a clip that ends with the file is the only one."""
    start: float = clip["start"] or 0.0
    return start if clip["end"] is None else (start + clip["end"]) / 2


def _rows(frames: TableFiles, wanted: Collection[str]) -> Iterator[Row]:
    """The wanted rows of FRAMES, one in memory at a time."""
    for path in frames.paths:
        with frames.open(path) as file, reading(path):
            parquet = open_parquet(file)
            listed = parquet.read(columns=["clip_id", "error"]).to_pylist()
            for i, row in enumerate(listed):
                if row["error"] is None and row["clip_id"] in wanted:
                    yield parquet.read_row_group(i, columns=["clip_id", "frames", "times"]).to_pylist()[0]


def _poses(skeletons: TableFiles, wanted: Collection[str]) -> dict[str, Row]:
    ids = pa.array(wanted, pa.string())
    found: dict[str, Row] = {}
    for path in skeletons.paths:
        table = skeletons.read_one(path, ["clip_id", "error", "keypoints", "persons", "layout"])
        table = table.filter(pc.is_in(table["clip_id"], ids))
        found |= {row["clip_id"]: row for row in table.to_pylist() if row["error"] is None}
    return found


def _thumbnail(row: Row, i: int, pose: Row | None) -> bytes | None:
    image = cv2.imdecode(np.frombuffer(row["frames"][i], np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        return None
    small = tile(image, SIDE)
    if pose is not None:
        small = draw_skeletons(small, keypoints_of(pose)[:, i], pose["layout"])
    return encoded(small, ".jpg", QUALITY)
