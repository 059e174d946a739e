import numpy as np
import pytest
from scipy.special import log_softmax

from stages.train.calibration import (
    SPREAD,
    calibrate,
    calibration_error,
    fitted_temperature,
    min_scores,
    reliability,
    softmax,
)


def drawn(clips: int, sureness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose true temperature is ``sureness``, and classes drawn from the probabilities that they should mean."""
    rng = np.random.default_rng(seed)
    logits_NK = rng.normal(0, 2, (clips, 5))
    target_N = np.array([rng.choice(5, p=p_K) for p_K in softmax(logits_NK)])
    return (sureness * logits_NK).astype(np.float32), target_N


@pytest.mark.parametrize("sureness", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_the_logits_is_found(sureness):
    assert fitted_temperature(*drawn(5000, sureness)) == pytest.approx(sureness, rel=0.06)


def test_the_temperature_is_the_likeliest_of_all():
    logits_NK, target_N = drawn(40, 2.0)
    found = fitted_temperature(logits_NK, target_N)

    def cost(temperature: float) -> float:
        losses_NK = -log_softmax(logits_NK.astype(float) / temperature, axis=1)
        return losses_NK[np.arange(40), target_N].sum() + np.log(temperature) ** 2 / (2 * SPREAD**2)

    tried = np.geomspace(0.05, 20, 2000)
    assert cost(found) <= min(map(cost, tried)) + 1e-6


def test_a_few_clips_that_are_all_right_make_no_network_sure_of_everything():
    logits_NK = np.log(np.tile([0.7, 0.2, 0.1], (400, 1)))
    few, many = (fitted_temperature(logits_NK[:n], np.zeros(n, int)) for n in (20, 400))
    assert 0.3 < few < 0.6 and many < 0.7 * few


def test_scores_that_a_share_reaches_counted_by_hand():
    score_N = np.array([0.95] * 10 + [0.9] * 8 + [0.6] * 4 + [0.3] * 10)
    right_N = np.array([True] * 10 + [True] * 6 + [False] * 2 + [True] * 2 + [False] * 2 + [False] * 10)
    # from 0.95 on 10 of 10; from 0.9 on 16 of 18; from 0.6 on 18 of 22 (0.818); of all 18 of 32
    assert min_scores(score_N, right_N) == {0.8: 0.6, 0.9: 0.95}, "for 0.95, ten clips are too few"
    assert min_scores(score_N, np.zeros(32, bool)) == {}
    more = np.repeat(right_N, 10)
    assert min_scores(np.repeat(score_N, 10), more) == {0.8: 0.6, 0.9: 0.95, 0.95: 0.95, 0.99: 0.95}


def test_the_order_of_clips_with_one_score_says_nothing():
    right_N = np.array([True] * 12 + [False] * 12)
    assert min_scores(np.full(24, 0.5), right_N) == min_scores(np.full(24, 0.5), right_N[::-1]) == {}


def test_bins_and_error_counted_by_hand():
    score_N = np.array([1.0, 0.97, 0.5, 0.5, 0.2])
    bins = reliability(score_N, np.array([True, True, True, False, False]))
    assert len(bins) == 15 and [i for i, own in enumerate(bins) if own.clips] == [2, 7, 14]
    assert (bins[14].clips, bins[14].right) == (2, 2) and bins[14].score == pytest.approx(1.97)
    assert calibration_error(bins) == pytest.approx((0.03 + 0.0 + 0.2) / 5)
    assert reliability(np.array([0.0, 1 / 15]), np.array([False, True]))[0].clips == 2, "a span ends with its upper end"


def test_what_is_kept_of_validation_clips():
    logits_NK, target_N = drawn(600, 3.0)
    found = calibrate(logits_NK, target_N)
    before, after = found["ece"]
    assert before > 0.15 > 0.06 > after and found["validation_clips"] == 600
    assert found["temperature"] == pytest.approx(fitted_temperature(logits_NK, target_N), abs=1e-4)
    scores = softmax(logits_NK / found["temperature"])
    for share, score in found["min_scores"].items():
        sure_N = scores.max(1) >= score
        assert (scores.argmax(1) == target_N)[sure_N].mean() >= float(share)
    assert list(found["min_scores"]) == ["0.8", "0.9", "0.95"]
    assert calibrate(logits_NK[:19], target_N[:19]) == {} != calibrate(logits_NK[:20], target_N[:20])
