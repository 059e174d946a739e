"""The synthetic source: its table, its folder, and how it goes on after a kill."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.errors import ManifestError
from stages.sources.synthetic import Synthetic
from stages.synthetic.actions import ACTIONS
from stages.tables import CLIPS


def files(root: Path) -> dict[str, str]:
    """SHA-256 and time of modification of every data file below ``root``."""
    return {
        path.relative_to(root).as_posix(): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}"
        for path in sorted(root.glob("*/*/[0-9]*"))
    }


def created(source: Synthetic) -> pa.Table:
    """The source's clips, as a run lists them."""
    source.create()
    return source.clips()


def test_the_table_lists_every_clip_and_half_the_skeletons(tmp_path: Path) -> None:
    source = Synthetic(root=tmp_path, clips_per_class=2, test_per_class=0, size=64)
    planned = source.clips()
    assert set(planned["source"].to_pylist()) == {"not drawn"}
    assert not any(tmp_path.iterdir())
    [note] = source.check(planned, {})
    assert (note.fatal, note.text) == (False, "24 of 24 videos are not drawn yet: a run draws them first")
    table = created(source)
    assert table["clip_id"].equals(planned["clip_id"])
    assert list(source.check(table, {})) == []
    assert table.schema.equals(CLIPS.schema)
    assert table.num_rows == 2 * len(ACTIONS)
    rows = table.to_pylist()
    assert len({row["clip_id"] for row in rows}) == len(rows)
    assert {row["label"] for row in rows} == set(ACTIONS)
    for row in rows:
        assert row["clip_id"] == f"{row['split']}/{row['label']}/{Path(row['path']).name}"
        assert Path(row["path"]).is_file()
        assert (row["skeleton_path"] is None) == (row["skeleton_source"] is None)
    with_skeletons = [row["label"] for row in rows if row["skeleton_path"]]
    assert sorted(with_skeletons) == sorted(ACTIONS)
    with np.load(next(row["skeleton_path"] for row in rows if row["skeleton_path"])) as file:
        assert file["keypoints"].shape[2:] == (17, 3)

    before = files(tmp_path)
    for path in tmp_path.glob("train/*/0001.*"):
        path.unlink()
    assert created(source).equals(table)
    assert files(tmp_path) == before

    more = created(Synthetic(root=tmp_path, clips_per_class=2, test_per_class=1, size=64))
    assert more.filter(pc.equal(more["split"], "train")).equals(table)
    assert more.num_rows == 3 * len(ACTIONS)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.25, 5), (0.5, 10), (1.0, 20)])
def test_the_share_of_skeletons(share: float, expected: int) -> None:
    source = Synthetic(with_skeletons=share)
    assert sum(source.has_skeleton(index) for index in range(20)) == expected


def test_another_seed_needs_another_root(tmp_path: Path) -> None:
    Synthetic(root=tmp_path, clips_per_class=0, test_per_class=0).create()
    with pytest.raises(ManifestError, match="choose another root, or delete the folder"):
        Synthetic(root=tmp_path, clips_per_class=0, test_per_class=0, seed=1).clips()


def test_killed_generation_goes_on_where_it_was(tmp_path: Path) -> None:
    """Two processes write the same folder and are killed on the way; a third one finishes their work."""
    code = """
import sys
from stages.sources.synthetic import Synthetic
if __name__ == "__main__":
    Synthetic(root=sys.argv[1], clips_per_class=3, test_per_class=0, size=64).create()
"""
    script = tmp_path / "generate.py"
    script.write_text(code)
    disturbed, calm = tmp_path / "disturbed", tmp_path / "calm"
    writers = [
        subprocess.Popen(
            [sys.executable, str(script), str(disturbed)], start_new_session=True, stderr=subprocess.DEVNULL
        )
        for _ in range(2)
    ]
    while len(files(disturbed)) < 8 and all(writer.poll() is None for writer in writers):
        time.sleep(0.02)
    for writer in writers:
        os.killpg(writer.pid, signal.SIGKILL)
        writer.wait()
    partial = files(disturbed)
    for name in sorted(partial)[8:]:  # a loaded machine may let them finish before they are counted
        (disturbed / name).unlink()
    partial = files(disturbed)
    table = created(Synthetic(root=disturbed, clips_per_class=3, test_per_class=0, size=64))
    Synthetic(root=calm, clips_per_class=3, test_per_class=0, size=64).create()
    assert table.num_rows == 3 * len(ACTIONS)
    assert 0 < len(partial) < len(files(calm))
    assert partial.items() <= files(calm).items()
    assert files(disturbed) == files(calm)
