from fractions import Fraction

import numpy as np
import pytest

from stages.frame_sampling import sample_frames


def test_frames_are_those_at_the_middles_of_equal_segments():
    assert sample_frames(5, 5) == [0, 1, 2, 3, 4]
    assert sample_frames(12, 4) == [1, 4, 7, 10]
    assert sample_frames(2, 4) == [0, 0, 1, 1], "fewer frames than wanted repeat"


def test_middles_are_exact_for_every_pair_of_counts():
    for count in range(1, 121):
        for wanted in range(1, 121):
            middles = [Fraction(2 * i + 1, 2 * wanted) * count for i in range(wanted)]
            assert sample_frames(count, wanted) == [int(middle) for middle in middles], (count, wanted)


@pytest.mark.parametrize(("count", "wanted"), [(48, 16), (7, 12), (90, 5)])
def test_each_frame_comes_from_its_own_segment_wherever_in_it(count, wanted):
    rng = np.random.default_rng(0)
    for phase in [0.0, 0.25, 0.999, *rng.random((50, wanted))]:
        found = sample_frames(count, wanted, phase)
        for i, frame in enumerate(found):
            assert int(i * count / wanted) <= frame <= min((i + 1) * count / wanted, count - 1)


def test_a_part_of_the_clip_is_divided_like_a_whole_one():
    assert sample_frames(10, 2, start=0.5, span=0.5) == [6, 8]
    assert sample_frames(20, 5, start=0.25, span=0.5) == [5 + i for i in sample_frames(10, 5)]
