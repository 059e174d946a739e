"""Lists in workbooks of Excel."""

import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest

from pipeline.errors import ManifestError
from stages.sources import spreadsheet
from stages.sources.listing import Listing


def write(file: Path, *rows: tuple[object, ...]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file


def test_a_list_with_numbers_and_empty_rows(tmp_path: Path) -> None:
    rows = [(" path", "label", "split", "start", "end"), ("a.mp4", 0, "train", 0.5, 2), (), ("b.mp4", "None", "test")]
    clips = Listing(list=write(tmp_path / "List.XLSX", *rows)).clips().to_pylist()
    assert [(clip["clip_id"], clip["label"], clip["split"], clip["start"], clip["end"]) for clip in clips] == [
        ("a.mp4@0.5-2.0", "0", "train", 0.5, 2.0),
        ("b.mp4", "None", "test", None, None),
    ]


def test_errors_name_the_row(tmp_path: Path) -> None:
    file = write(tmp_path / "list.xlsx", ("path", "split"), ("a.mp4", "train"), (), ("b.mp4", "training"))
    with pytest.raises(ManifestError, match=r"list\.xlsx, row 4: split must be one of"):
        Listing(list=file).clips()
    with pytest.raises(ManifestError, match="no column path; it has label"):
        Listing(list=write(tmp_path / "none.xlsx", ("label",), ("a",))).clips()
    with pytest.raises(ManifestError, match="its first sheet is empty"):
        Listing(list=write(tmp_path / "empty.xlsx")).clips()


def test_other_files_with_this_extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.xlsx").write_text("path,label\n")
    with zipfile.ZipFile(tmp_path / "zip.xlsx", "w") as archive:
        archive.writestr("a.txt", "text")
    for name in ("text", "zip"):
        with pytest.raises(ManifestError, match=f"{name}.xlsx cannot be read as a workbook of Excel"):
            Listing(list=tmp_path / f"{name}.xlsx").clips()
    monkeypatch.setattr(spreadsheet, "MOST_BYTES", 1000)
    with pytest.raises(ManifestError, match="save it as CSV"):
        Listing(list=write(tmp_path / "large.xlsx", ("path",), ("a.mp4",))).clips()


def test_without_openpyxl_the_error_says_what_to_install(tmp_path: Path) -> None:
    write(tmp_path / "list.xlsx", ("path",), ("a.mp4",))
    code = (
        "import sys; sys.modules['openpyxl'] = None\n"
        "from stages.sources.listing import Listing\n"
        "Listing(list='list.xlsx').clips()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "needs openpyxl: pip install 'action-pipeline[excel]', or save it as CSV" in done.stderr
