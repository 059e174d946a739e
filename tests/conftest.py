"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

STARTING_RAY = (
    "test_cli.py",
    "test_end_to_end.py",
    "test_faults.py",
    "test_own_layout.py",
    "test_ray_executor.py",
    "test_ray_workers.py",
)
"""Files with tests that start Ray or count processes: they run one after the other, since Ray takes all cores."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of a file in one process, for their fixtures' sake. The longest group begins first."""
    for item in items:
        starts_ray = item.path.name in STARTING_RAY
        item.add_marker(pytest.mark.xdist_group("ray" if starts_ray else str(item.path.relative_to(ROOT))))
    items.sort(key=lambda item: item.path.name not in STARTING_RAY)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real research data, which is not part of the project; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("PIPELINE_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder} (set PIPELINE_TEST_DATA)")
    return folder
