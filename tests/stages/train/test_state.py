"""The parts of a training's state; whole trainings, interrupted ones too, are in ``test_stage.py``."""

import torch
from torch import nn

from stages.train.state import update_average


def test_an_average_follows_the_weights_and_takes_over_what_is_no_weight():
    average, model = (nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1)) for _ in range(2))
    with torch.no_grad():
        average[0].weight.fill_(1.0)
        model[0].weight.fill_(3.0)
        model[1].running_mean.fill_(5.0)
    update_average(average, model, 0.75)
    assert average[0].weight.item() == 1.5, "three quarters of 1 and a quarter of 3"
    assert average[1].running_mean.item() == 5.0
    assert model[0].weight.item() == 3.0
