import torch

from recognizer.__main__ import costs
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer


def test_the_papers_network_costs_what_it_should() -> None:
    config = RecognizerConfig(class_names=tuple("abcdefghijklmno"), layout="pennaction13")
    with torch.device("meta"):
        parts = costs(Recognizer(config))
    assert round(parts["backbone"][1] / 1e9) == 110
    assert round(parts["backbone.layer1"][1] / 1e9) == 67
    assert parts["blocks.0.deformable.search.conv"][0] == 256 * 7**3 + 256
    assert 0.2e9 < parts["blocks.0.deformable.search"][1] < 0.3e9
    # Scores and their use: 2 x 9432 queries x (6·22·22 + 24) keys x 256; 2 x 5 windows x (4 · 800)² x 256.
    assert parts["blocks.0.deformable"][1] > 2 * 9432 * 2928 * 256
    assert parts["blocks.0.temporal"][1] > 2 * 5 * 3200**2 * 256
