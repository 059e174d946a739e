import pytest

from pipeline.failures import too_many


@pytest.mark.parametrize(
    ("failed", "clips", "max_failed", "expected"),
    [
        (2, 40, 0.05, False),
        (3, 40, 0.05, True),
        (1, 13, 0.05, False),  # less than a clip, but one bad file stops nobody
        (2, 13, 0.05, True),
        (1, 2, 0.05, False),
        (1, 1, 0.05, True),  # nothing is left
        (1, 13, 0.0, True),
        (13, 13, 1.0, False),
        (0, 0, 0.05, False),
    ],
)
def test_the_share_of_clips_that_may_fail(failed: int, clips: int, max_failed: float, expected: bool) -> None:
    assert too_many(failed, clips, max_failed) is expected
