import pytest

from recognizer.calibration import min_score_for
from recognizer.config import RecognizerConfig


def test_the_score_for_a_share_is_that_of_the_config() -> None:
    config = RecognizerConfig(
        class_names=("a", "b"), temperature=0.7, min_scores={0.8: 0.41, 0.9: 0.63}, validation_clips=57
    )
    loaded = RecognizerConfig.model_validate_json(config.model_dump_json())
    assert loaded == config
    assert (min_score_for(loaded, 0.9), min_score_for(loaded, 0.8)) == (0.63, 0.41)
    with pytest.raises(ValueError, match=r"0\.99 is right; its 57 validation clips .* these shares: 0\.8, 0\.9\. More"):
        min_score_for(loaded, 0.99)


def test_a_model_without_validation_clips_says_how_to_get_one() -> None:
    config = RecognizerConfig(class_names=("a", "b"))
    with pytest.raises(ValueError, match=r"at least 20 validation clips \(train\.val_share"):
        min_score_for(config, 0.9)
    none = config.model_copy(update={"validation_clips": 20})
    with pytest.raises(ValueError, match="these shares: none"):
        min_score_for(none, 0.9)


def test_a_config_without_a_calibration_is_what_it_was() -> None:
    config = RecognizerConfig(class_names=("a", "b"))
    assert not config.model_dump().keys() & {"temperature", "min_scores", "validation_clips"}
    assert "temperature" in RecognizerConfig(class_names=("a", "b"), validation_clips=20).model_dump_json()
    assert (
        RecognizerConfig.model_validate(config.model_dump() | {"temperature": 0.5}).model_dump()["temperature"] == 0.5
    )
    with pytest.raises(ValueError, match="temperature"):
        RecognizerConfig(class_names=("a", "b"), temperature=0)
