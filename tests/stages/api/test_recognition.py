"""Recognition of folders from Python: the tables of the command, what is kept, and what fails."""

from pathlib import Path

import pandas as pd
import pytest
from trained_model import RGB, save_model, trained, write_video

from pipeline import recognize
from pipeline.errors import ManifestError, StageError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of frames, two videos, and a file that is none."""
    monkeypatch.chdir(tmp_path)
    trained("demo.yaml", RGB)
    save_model()
    write_video(Path("videos/long.mp4"), 100)
    write_video(Path("videos/short.mp4"), 20)


def test_tables_are_those_of_the_command() -> None:
    found = recognize("videos", "it", "out", window=2, executor="local")
    assert found.columns.tolist() == ["file", "start", "end", "label", "score", "person", "nearest"]
    assert found["person"].isna().all()
    written = pd.read_parquet("out/recognitions.parquet")
    assert found.drop(columns="person").equals(written.drop(columns="person"))
    assert Path("out/recognitions.html").is_file()
    windows = recognize("videos", Path("runs/it"), "out", window=2, table="windows", executor="local")
    assert windows["start"].tolist() == [0, 1, 2, 0] and {"a", "b", "c"} < set(windows.columns)
    summary = recognize("videos", "runs/it/model", window=2, table="summary", executor="local")
    assert summary["segments"].sum() == len(found)
    with pytest.raises(ManifestError, match="no table 'sums'; there are: segments, windows, summary"):
        recognize("videos", "it", table="sums")  # type: ignore[arg-type]


def test_only_the_store_is_kept_without_out() -> None:
    before = set(Path().iterdir())
    first = recognize("videos", "it", window=2, executor="local")
    assert {path.name for path in set(Path().iterdir()) - before} == {"store"}
    made = {path: path.stat().st_mtime_ns for path in Path("store").rglob("*.parquet")}
    assert recognize("videos", "it", window=2, executor="local").equals(first)
    assert {path: path.stat().st_mtime_ns for path in Path("store").rglob("*.parquet")} == made


def test_videos_that_fail_are_named(capfd: pytest.CaptureFixture[str]) -> None:
    Path("videos/text.mp4").write_text("no video")
    with pytest.warns(UserWarning, match="1 of 3 videos or windows failed, such as text.mp4: "):
        found = recognize("videos", "it", window=0, executor="local")
    assert set(found["file"]) == {"long.mp4", "short.mp4"}
    [(clip, stage, error)] = found.attrs["failures"]
    assert (clip, stage) == ("text.mp4", "decode") and error
    assert capfd.readouterr().out == ""
    with pytest.raises(StageError, match=r"1 of 1 clips failed, such as text.mp4 in decode: "):
        recognize("videos/text.mp4", "it", executor="local")
    with pytest.raises(ManifestError, match="nowhere: no such file or folder"):
        recognize("nowhere", "it")


def test_progress_is_shown_if_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    recognize("videos", "it", window=2, executor="local", progress=True)
    assert "predict: done in " in capfd.readouterr().out
