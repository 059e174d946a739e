"""Fixtures shared by all tests."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from s3_server import s3_server

ROOT = Path(__file__).resolve().parent.parent

if "PYTEST_XDIST_WORKER" in os.environ:
    # Tests run side by side, one process a core. With a thread for each core, the threads of both wait for each other:
    # MoveNet's tests then take almost three times as long. PyTorch reads this when it is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that need a GPU where there is none."""
    if marked := [item for item in items if item.get_closest_marker("gpu")]:
        import torch

        if not torch.cuda.is_available():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason="PyTorch finds no GPU"))


@pytest.fixture
def exact_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products and convolutions of float32 that the GPU does not round to TF32."""
    import torch

    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real research data, which is not part of the project; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("PIPELINE_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder} (set PIPELINE_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def s3_variables() -> Iterator[dict[str, str]]:
    """The environment variables by which clients find an S3-compatible server on this machine."""
    for needed in ("moto", "flask_cors", "s3fs"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed (pip install 'action-pipeline[test]')")
    with s3_server() as variables:
        yield variables


@pytest.fixture
def s3(s3_variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A URL on that server, for this test alone."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()  # a former test may have opened one without credentials
    for name, value in s3_variables.items():
        monkeypatch.setenv(name, value)
    return f"s3://bucket/{tmp_path.name}"


@pytest.fixture
def upload(s3: str) -> Callable[[Path], str]:
    """Copies a folder to that server, and returns its URL."""
    import fsspec

    def copy(folder: Path) -> str:
        filesystem, _ = fsspec.core.url_to_fs(s3)
        filesystem.put(f"{folder}/", f"{s3}/{folder.name}/", recursive=True)
        return f"{s3}/{folder.name}"

    return copy
