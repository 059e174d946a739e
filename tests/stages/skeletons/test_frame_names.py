"""Image names say which clip and which frame."""

import pytest

from pipeline.errors import ClipError
from stages.skeletons.frame_names import places


def found(*names: str) -> list[tuple[str, int]]:
    return [(place.clip, place.number) for place in places(names, "file").values()]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["wave/000012.jpg", "jump/000003.png"], [("wave", 12), ("jump", 3)]),
        (["images/val/34_mpii/00.jpg", "images/val/52_mpii/01.jpg"], [("34_mpii", 0), ("52_mpii", 1)]),
        (["images/val/000342_mpii_test/000000.jpg"], [("000342_mpii_test", 0)]),
        (["wave_000012.jpg", "jump_000003.jpg"], [("wave", 12), ("jump", 3)]),
        (["clips/wave_01_12.jpg", "clips/jump-3.jpg"], [("wave_01", 12), ("jump", 3)]),
        (["wave/img_0001.jpg", "jump/img_0001.jpg"], [("wave", 1), ("jump", 1)]),
        (["a/wave/1.jpg", "a/wave/2/1.jpg", "b/wave/1.jpg"], [("a/wave", 1), ("a/wave/2", 1), ("b/wave", 1)]),
        (["0.jpg", "10.jpg"], [("", 0), ("", 10)]),
        (["wave\\0012.jpg"], [("wave", 12)]),
        (["wave.mp4/7.jpg"], [("wave.mp4", 7)]),
        (["a_000000000012_keypoints.json"], [("a", 12)]),
        (["/data/wave/5.jpg", "/data/jump/5.jpg"], [("wave", 5), ("jump", 5)]),
        ([], []),
    ],
)
def test_clip_and_number(names: list[str], expected: list[tuple[str, int]]) -> None:
    assert found(*names) == expected


@pytest.mark.parametrize("name", ["alice.jpg", "", "wave/", "1" * 30 + ".jpg", "_" * 100_000 + "x"])
def test_a_name_without_a_number_is_refused(name: str) -> None:
    with pytest.raises(ClipError, match="has no frame number at the end of its name"):
        found(name)
