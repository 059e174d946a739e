"""What ``from pipeline import …`` gives, and what importing costs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
import stages


def test_importing_loads_nothing_heavy() -> None:
    heavy = "{'cv2', 'numpy', 'pandas', 'pyarrow', 'pydantic', 'torch'}"
    program = f"import sys, pipeline; sys.exit(bool({heavy} & sys.modules.keys()))"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_runs_are_read_without_the_network() -> None:
    program = "import sys; from pipeline import Run, run; sys.exit(bool({'cv2', 'torch'} & sys.modules.keys()))"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_all_names_are_found_also_by_tab_and_type_checkers() -> None:
    stub = (Path(pipeline.__file__).parent / "__init__.pyi").read_text()
    typed = {name: f"{module}:{name}" for module, name in re.findall(r"from (\S+) import (\w+) as \2", stub)}
    assert typed == stages.API
    for name in stages.API:
        assert callable(getattr(pipeline, name)) and name in dir(pipeline)
    with pytest.raises(AttributeError, match="module 'pipeline' has no attribute 'running'"):
        _ = pipeline.running  # type: ignore[attr-defined]
