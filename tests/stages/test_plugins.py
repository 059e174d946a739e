"""Classes of a user's own."""

import sys
from pathlib import Path

import pytest

from pipeline.errors import StageError
from stages.plugins import check_name, load_class


def test_a_class_is_found_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside_the_manifest.py").write_text("class Own:\n    pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    assert load_class("beside_the_manifest:Own", "reader").__name__ == "Own"
    with pytest.raises(StageError, match="reader: beside_the_manifest:Other cannot be imported: AttributeError"):
        load_class("beside_the_manifest:Other", "reader")


@pytest.mark.parametrize(
    ("code", "error"), [("def broken(:", "SyntaxError"), ("1 / 0", "ZeroDivisionError"), ("import gone", "No module")]
)
def test_whatever_a_module_raises_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, error: str
) -> None:
    (tmp_path / "broken_module.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(StageError, match=f"detector: broken_module:Own cannot be imported: .*{error}"):
        load_class("broken_module:Own", "detector")


@pytest.mark.parametrize("target", ["my-script:Own", "script", "s3://script:Own", "pack/script:Own", "script:Own()"])
def test_texts_of_another_form_import_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    for name in ("my-script.py", "script.py", "s3.py", "pack/script.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('run')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(StageError, match="is not module:Class"):
        load_class(target, "detector")
    with pytest.raises(ValueError, match="no detector is called"):
        check_name(target, {}, "detector")
