"""What a recognizer's scores are worth, as its config says."""

from recognizer.config import RecognizerConfig


def min_score_for(config: RecognizerConfig, share: float) -> float:
    """The lowest score from which on at least ``share`` of the validation clips was recognized rightly.

    A score is the probability of the most probable class. Raises ValueError if the model has none for this share.
    """
    if share in config.min_scores:
        return config.min_scores[share]
    if not config.validation_clips:
        raise ValueError(
            "the model knows no score from which on a share of clips is right: train it with at least 20 validation "
            "clips (train.val_share, or clips of the split val)"
        )
    known = ", ".join(f"{known:g}" for known in sorted(config.min_scores)) or "none"
    raise ValueError(
        f"the model knows no score from which on a share of {share:g} is right; its {config.validation_clips} "
        f"validation clips gave one for these shares: {known}. More of them (train.val_share) or a better model may "
        "give one for higher shares"
    )
