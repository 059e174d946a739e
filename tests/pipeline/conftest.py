"""Makes ``toy_stages`` importable by its plain name, here and in worker processes; and a toy manifest for each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from toy_manifest import Toy

HERE = str(Path(__file__).parent)


@pytest.fixture(autouse=True, scope="module")
def _toy_path() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [HERE, os.environ.get("PYTHONPATH")])))
        yield


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)
