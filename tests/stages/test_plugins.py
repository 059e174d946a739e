"""Classes of a user's own."""

import sys
from pathlib import Path

import pytest

from pipeline.errors import StageError
from stages.plugins import load_class


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
