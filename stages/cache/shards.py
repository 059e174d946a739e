"""Reads shards: random access to single clips, and conversion of rows to arrays."""

import threading
from collections import OrderedDict
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow.parquet as pq

from pipeline.errors import ClipError, StageError
from pipeline.parquet import open_parquet, reading
from pipeline.stage import Row
from pipeline.stage_inputs import TableFiles
from recognizer.skeletons import layout

OPEN_FILES = 8
"""Number of shard files that each reading thread keeps open."""

IN_MEMORY = 1 << 30
"""Bytes. Shards that are smaller in total stay in memory after they have been read once."""


class Sample(NamedTuple):
    """One clip as arrays. A modality that the network does not use is None."""

    clip_id: str
    frames: np.ndarray | None  # uint8 T,S,S,3 in RGB
    keypoints: np.ndarray | None  # float32 M,T,R,3 relative to the frames

    @property
    def frame_count(self) -> int:
        """T, the number of frames."""
        if self.frames is not None:
            return len(self.frames)
        assert self.keypoints is not None, "a sample has at least one modality"
        return self.keypoints.shape[1]


class Shards:
    """The clips of a set of shard files by ``clip_id``. Any number of threads may read at once."""

    def __init__(self, files: TableFiles, modality: str, persons: int, in_memory: int = IN_MEMORY) -> None:
        """Find where each clip is.

        modality: ``rgb+pose``, ``rgb`` or ``pose``; only its columns are read.
        persons: M. Of clips with more persons the first M are read; clips with fewer are filled up with zeros.
        in_memory: bytes; see ``IN_MEMORY``.

        Raises StageError if the shards lack a modality or mix joint layouts.
        """
        self.files = files
        self.modality = modality
        self.persons = persons
        self.locations: dict[str, tuple[str, int]] = {}
        """File and row group of each clip that has no error."""
        self.layout: str | None = None
        self._seconds: list[float] = []
        self._rows: dict[str, Row] = {}
        self._threads = threading.local()
        size = 0
        for path in files.paths:
            with files.open(path) as file, reading(path):
                parquet = open_parquet(file)
                if parquet.metadata.num_rows not in (0, parquet.num_row_groups):
                    raise StageError(f"{path} is not a shard with one clip per row group: remove it and run again")
                size += sum(parquet.metadata.row_group(i).total_byte_size for i in range(parquet.num_row_groups))
                rows = parquet.read(columns=["clip_id", "error", "layout", "times"]).to_pylist()
            for i, row in enumerate(rows):
                if row["error"] is None and files.holds(row["clip_id"]):
                    self.locations[row["clip_id"]] = (path, i)
                    self._seconds += [seconds_of(row["times"])] if row["times"] else []
                    self._check_layout(row)
        self._keeps_rows = size <= in_memory

    def median_seconds(self) -> float | None:
        """The median length of the clips, or None if the shards have no times."""
        return float(np.median(self._seconds)) if self._seconds else None

    def _check_layout(self, row: Row) -> None:
        if "pose" not in self.modality:
            return
        if row["layout"] is None:
            raise StageError(f"the shard of {row['clip_id']} holds no skeletons: add pose to the needs of cache")
        if self.layout is None:
            self.layout = row["layout"]
        elif self.layout != row["layout"]:
            own, others = layout(row["layout"]).name, layout(self.layout).name
            raise StageError(
                f"skeletons of different joint layouts: {row['clip_id']} has {own}, the clips before it have {others}: "
                "convert them to one with the parameter convert_to of pose or skeletons, or leave out the clips of one"
            )

    def read(self, clip_id: str) -> Sample:
        """The clip's arrays. Raises StageError if the shard lacks them or is damaged."""
        row = self._rows.get(clip_id)
        if row is None:
            path, group = self.locations[clip_id]
            with reading(path):
                row = self._file(path).read_row_group(group, columns=columns_of(self.modality)).to_pylist()[0]
            if self._keeps_rows:
                self._rows[clip_id] = row
        try:
            return sample_of(row, self.modality, self.persons)
        except ClipError as error:
            raise StageError(str(error)) from error

    def _file(self, path: str) -> pq.ParquetFile:
        """The open file, one per thread, since two threads must not read the same Parquet file at once."""
        opened: OrderedDict[str, tuple[Any, pq.ParquetFile]] = self._threads.__dict__.setdefault(
            "opened", OrderedDict()
        )
        if path not in opened:
            if len(opened) == OPEN_FILES:
                opened.popitem(last=False)[1][0].close()
            file = self.files.open(path)
            opened[path] = (file, open_parquet(file))
        opened.move_to_end(path)
        return opened[path][1]


def seconds_of(times: list[float]) -> float:
    """Length of a clip whose frames, at ``times`` in seconds, are the middles of equal segments."""
    return (times[-1] - times[0]) * len(times) / max(len(times) - 1, 1)


def columns_of(modality: str) -> list[str]:
    """The columns of a shard that a modality needs."""
    frames = ["frames"] if "rgb" in modality else []
    return ["clip_id", *frames, *(["keypoints", "persons", "layout"] if "pose" in modality else [])]


def sample_of(row: Row, modality: str, persons: int) -> Sample:
    """The arrays of a shard's row; see ``Shards``.

    Raises StageError if the shard lacks a modality, and ClipError if it is damaged.
    """
    frames, keypoints = None, None
    if "rgb" in modality:
        if row["frames"] is None:
            raise StageError(f"the shard of {row['clip_id']} holds no frames: add decode to the needs of cache")
        frames = np.stack([_decode(jpeg, row["clip_id"]) for jpeg in row["frames"]])
    if "pose" in modality:
        if row["layout"] is None:
            raise StageError(f"the shard of {row['clip_id']} holds no skeletons: add pose to the needs of cache")
        found = keypoints_of(row)[:persons]
        count = len(frames) if frames is not None else found.shape[1]
        if found.shape[1] != count:
            raise ClipError(f"the shard of {row['clip_id']} holds {count} frames but skeletons for {found.shape[1]}")
        keypoints = np.zeros((persons, count, layout(row["layout"]).count, 3), np.float32)
        keypoints[: len(found)] = found
    return Sample(row["clip_id"], frames, keypoints)


def keypoints_of(row: Row) -> np.ndarray:
    """The keypoints of a row of skeletons or shards, float16 M,T,R,3."""
    joints = layout(row["layout"]).count
    return np.frombuffer(row["keypoints"], np.float16).reshape(row["persons"], -1, joints, 3)


def _decode(jpeg: bytes, clip_id: str) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ClipError(f"a frame of {clip_id} in its shard is not a readable JPEG image: run again with --force cache")
    return image
