"""Names that nobody gave."""

import pytest

from stages.leftovers import is_leftover


@pytest.mark.parametrize("name", [
    "$RECYCLE.BIN", "System Volume Information", "@eaDir", "#recycle", "__MACOSX", ".Trash-1000", "lost+found",
    "LOST.DIR", "Thumbs.db", "._walk.mp4", "~$list.xlsx", ".git",
])  # fmt: skip
def test_leftovers(name: str) -> None:
    assert is_leftover(name)


@pytest.mark.parametrize("name", ["walk", "recycle", "$100_bill", "@home", "#1", "lost and found", "walk.mp4", "_"])
def test_names_of_peoples_own(name: str) -> None:
    assert not is_leftover(name)
