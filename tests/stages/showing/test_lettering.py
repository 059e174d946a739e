"""Text on pictures, whatever alphabet it is in."""

import warnings

import numpy as np

from stages.showing.lettering import BOX, lettering


def test_a_sign_that_no_font_has_is_a_box_and_no_warning() -> None:
    unknown = "\U0010fffd"  # for private use
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = lettering(f"a{unknown}b", 20)
        assert np.array_equal(drawn, lettering(f"a{BOX}b", 20))
        assert lettering("日本 wave", 20).shape[1] > lettering(" wave", 20).shape[1]
    assert not np.array_equal(drawn, lettering("ab", 20))
