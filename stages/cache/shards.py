"""Reads shards: random access to single clips, and conversion of rows to arrays."""

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow.parquet as pq

from pipeline.errors import ClipError, StageError
from pipeline.parquet import Footer, ParquetReader, reading
from pipeline.remote_files import RemoteFile
from pipeline.stage import Row
from pipeline.stage_inputs import TableFiles
from recognizer.skeletons import layout

OPEN_FILES = 8
"""Number of shard files that each reading thread keeps open."""

WAITING = 16
"""Number of threads that read from a store at a URL, where most of the time is spent waiting."""

LOOKED_AT = ["clip_id", "error", "layout", "times"]
"""The columns that say where clips are and whether they fit together."""

IN_MEMORY = 1 << 30
"""Bytes. Clips that are smaller in total stay in memory after they have been read once."""

FOOTERS_OF = 50_000
"""Number of clips of which it stays in memory how their file is to be read: 5 kB each. Where there are more, a file's
footer is read again whenever the file is opened again, which takes longer than to read a small clip."""


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
        self._footers: dict[str, Footer] = {}
        self._remote: dict[str, RemoteFile] = {}
        """Files at URLs, so that to open them again takes no request."""
        size = 0
        with ThreadPoolExecutor(WAITING) as pool:
            for path, (rows, own_size) in zip(files.paths, pool.map(self._look_into, files.paths), strict=True):
                size += own_size
                for i, row in enumerate(rows):
                    if row["error"] is None and files.holds(row["clip_id"]):
                        self.locations[row["clip_id"]] = (path, i)
                        self._seconds += [seconds_of(row["times"])] if row["times"] else []
                        self._check_layout(row)
        self._keeps_rows = size <= in_memory

    def of(self, modality: str) -> "Shards":
        """The same shards for a network that sees something else."""
        return Shards(self.files, modality, self.persons)

    def _look_into(self, path: str) -> tuple[list[Row], int]:
        """What is to be known of each clip in a file before it is read, and the bytes of them all."""
        with self.files.open(path) as file, reading(path):
            if isinstance(file, RemoteFile):
                self._remote[path] = file.again()
            parquet = ParquetReader(file)
            metadata = parquet.metadata
            if metadata.num_rows not in (0, metadata.num_row_groups):
                raise StageError(f"{path} is not a shard with one clip per row group: remove it and run again")
            if len(self._footers) * metadata.num_rows < FOOTERS_OF:
                self._footers[path] = parquet.footer
            size = sum(map(self._size_of, map(metadata.row_group, range(metadata.num_row_groups))))
            if isinstance(file, RemoteFile) and (rows := rows_by_statistics(metadata)) is not None:
                return rows, size
            return parquet.read(LOOKED_AT).to_pylist(), size

    def _size_of(self, group: pq.RowGroupMetaData) -> int:
        """The bytes of what is read of a clip."""
        return sum(chunk.total_uncompressed_size for chunk in chunks_of(group, columns_of(self.modality)))

    def reading_threads(self, wanted: int) -> int:
        """The number of threads for ``read``, of which ``wanted`` are to be busy."""
        return max(wanted, WAITING) if self._remote else wanted

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
                file, parquet = self._file(path)
                columns = columns_of(self.modality)
                if isinstance(file, RemoteFile):
                    file.expect(*extent_of(parquet.metadata.row_group(group), columns))
                row = parquet.read_row_group(group, columns).to_pylist()[0]
            if self._keeps_rows:
                self._rows[clip_id] = row
        try:
            return sample_of(row, self.modality, self.persons)
        except ClipError as error:
            raise StageError(str(error)) from error

    def _file(self, path: str) -> tuple[Any, ParquetReader]:
        """The open file, and the same as Parquet: one per thread, since two must not read a Parquet file at once."""
        opened: OrderedDict[str, tuple[Any, ParquetReader]] = self._threads.__dict__.setdefault("opened", OrderedDict())
        if path not in opened:
            if len(opened) == OPEN_FILES:
                opened.popitem(last=False)[1][0].close()
            file = self._remote[path].again() if path in self._remote else self.files.open(path)
            opened[path] = (file, ParquetReader(file, self._footers.get(path)))
        opened.move_to_end(path)
        return opened[path]


def rows_by_statistics(metadata: pq.FileMetaData) -> list[Row] | None:
    """``LOOKED_AT`` of each clip as far as a file's footer tells: all there is to know, except that of the times only
    the first and the last are true. None if it does not tell. Reading the columns takes a request for each clip."""
    rows = []
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        chunks = {_name_of(chunk): chunk for chunk in map(group.column, range(group.num_columns))}
        found = [chunks[name].statistics for name in LOOKED_AT]
        if any(one is None or not (one.has_min_max or one.null_count) for one in found):
            return None
        row = {name: one.min if one.has_min_max else None for name, one in zip(LOOKED_AT, found, strict=True)}
        if row["times"] is not None:
            count = chunks["times"].num_values
            row["times"] = [row["times"], *[row["times"]] * (count - 2), found[-1].max][:count]
        rows.append(row)
    return rows


def extent_of(group: pq.RowGroupMetaData, columns: list[str]) -> tuple[int, int]:
    """Where a row group's columns begin and end in their file."""
    chunks = chunks_of(group, columns)
    starts = [chunk.dictionary_page_offset or chunk.data_page_offset for chunk in chunks]
    return min(starts), max(start + chunk.total_compressed_size for start, chunk in zip(starts, chunks, strict=True))


def chunks_of(group: pq.RowGroupMetaData, columns: list[str]) -> list[pq.ColumnChunkMetaData]:
    return [chunk for chunk in map(group.column, range(group.num_columns)) if _name_of(chunk) in columns]


def _name_of(chunk: pq.ColumnChunkMetaData) -> str:
    """The column that a chunk belongs to; lists have a path below it."""
    return chunk.path_in_schema.partition(".")[0]


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
