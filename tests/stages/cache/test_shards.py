import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.errors import PipelineError, StageError
from pipeline.stage_inputs import TableFiles
from stages.cache.shards import OPEN_FILES, Shards, sample_of
from stages.tables import SHARDS


@pytest.mark.parametrize(("in_memory", "footers_of"), [(0, 0), (0, 1000), (1 << 30, 1000)])
def test_threads_read_every_clip_exactly(made_set, in_memory, footers_of, monkeypatch):
    monkeypatch.setattr("stages.cache.shards.FOOTERS_OF", footers_of)
    _, files = made_set(count=3 * (OPEN_FILES + 3))
    wanted = {row["clip_id"]: sample_of(row, "rgb+pose", 2) for table in files for row in table.to_pylist()}
    shards = Shards(files, "rgb+pose", 2, in_memory)
    order = np.random.default_rng(1).permutation(list(wanted) * 2).tolist()
    with ThreadPoolExecutor(3) as pool:
        for clip_id, sample in zip(order, pool.map(shards.read, order), strict=True):
            assert sample.clip_id == clip_id
            assert (sample.frames == wanted[clip_id].frames).all()
            assert (sample.keypoints == wanted[clip_id].keypoints).all()


def test_few_files_are_open_at_a_time(made_set):
    _, files = made_set(count=3 * (OPEN_FILES + 3))
    opened = []

    def tracked(path: str):
        file = Path(path).open("rb")  # noqa: SIM115  (the reader closes it)
        opened.append(file)
        return file

    shards = Shards(TableFiles(files.paths, tracked), "rgb", 2, in_memory=0)
    for clip_id in shards.locations:
        shards.read(clip_id)
    assert sum(not file.closed for file in opened) == OPEN_FILES


def test_of_a_file_that_is_opened_again_only_the_clip_is_read(made_set):
    _, files = made_set(count=3 * (OPEN_FILES + 1))
    read = []

    class Counted(io.FileIO):
        def read(self, size: int = -1, /) -> bytes:
            content = super().read(size)
            read.append(len(content))
            return content

    shards = Shards(TableFiles(files.paths, Counted), "rgb", 2, in_memory=0)
    first = next(iter(shards.locations))
    for clip_id in shards.locations:
        shards.read(clip_id)
    read.clear()
    assert shards.read(first).clip_id == first
    assert len(read) == len(["clip_id", "frames"])


def test_what_stays_in_memory_is_judged_by_what_is_read(made_set):
    _, files = made_set(size=64)
    frames_and_skeletons, skeletons = (Shards(files, modality, 2, 60_000) for modality in ("rgb+pose", "pose"))
    for shards in (frames_and_skeletons, skeletons):
        for clip_id in shards.locations:
            shards.read(clip_id)
    for path in files.paths:
        Path(path).write_bytes(b"")
    last = next(iter(skeletons.locations))
    assert skeletons.read(last).clip_id == last
    with pytest.raises(PipelineError):
        frames_and_skeletons.read(last)


def test_clips_that_are_not_given_are_not_there(made_set):
    _, files = made_set()
    wanted = [table["clip_id"][1].as_py() for table in files]
    given = TableFiles(files.paths, files.open, clip_ids=frozenset(wanted))
    assert list(Shards(given, "rgb+pose", 2).locations) == wanted


def test_a_modality_alone(made_set):
    _, files = made_set()
    clip_id = next(iter(Shards(files, "rgb", 2).locations))
    assert Shards(files, "rgb", 2).read(clip_id).keypoints is None
    assert Shards(files, "pose", 3).read(clip_id).frames is None
    assert Shards(files, "pose", 3).read(clip_id).keypoints.shape == (3, 4, 17, 3)


def changed(files: TableFiles, write, **change) -> TableFiles:
    """The files with the last clip changed."""
    rows = files.read_one(files.paths[-1]).to_pylist()
    rows[-1] |= change
    return TableFiles([*files.paths[:-1], write(Path(files.paths[-1]), rows, SHARDS.schema)], files.open)


def test_shards_that_do_not_fit(made_set, write_table):
    clips, files = made_set()
    last = clips["clip_id"][-1].as_py()
    with pytest.raises(StageError, match=rf"{last} has pennaction13, the clips before it have coco17"):
        Shards(changed(files, write_table, layout="pennaction13"), "rgb+pose", 2)
    without_skeletons = changed(files, write_table, layout=None, keypoints=None)
    with pytest.raises(StageError, match=f"{last} holds no skeletons: add pose"):
        Shards(without_skeletons, "pose", 2)
    Shards(without_skeletons, "rgb", 2).read(last)
    with pytest.raises(StageError, match=f"{last} holds no frames: add decode"):
        Shards(changed(files, write_table, frames=None), "rgb", 2).read(last)
    with pytest.raises(StageError, match=r"not a readable JPEG image.*--force cache"):
        Shards(changed(files, write_table, frames=[b"noise"]), "rgb", 2).read(last)


def test_failed_clips_are_not_there(made_set, write_table):
    clips, files = made_set()
    failed = changed(files, write_table, error="no person", frames=None, keypoints=None, layout=None)
    assert set(clips["clip_id"].to_pylist()) - set(Shards(failed, "rgb+pose", 2).locations) == {
        clips["clip_id"][-1].as_py()
    }


def test_a_partition_without_clips(made_set, write_table, tmp_path):
    clips, files = made_set()
    empty = write_table(tmp_path / "empty.parquet", [], SHARDS.schema)
    assert len(Shards(TableFiles([empty, *files.paths], files.open), "rgb+pose", 2).locations) == clips.num_rows


def test_files_of_another_kind_are_refused(made_set, tmp_path):
    _, files = made_set()
    pq.write_table(files.read(), tmp_path / "one_group.parquet")
    with pytest.raises(StageError, match=r"one_group\.parquet is not a shard with one clip per row group"):
        Shards(TableFiles([str(tmp_path / "one_group.parquet")], files.open), "rgb", 2)


def test_the_length_of_clips_is_known_from_the_times_of_their_frames(made_set):
    _, files = made_set(frames=4)  # a frame every tenth of a second
    assert Shards(files, "rgb", 1).median_seconds() == pytest.approx(0.4)
