import math

import pytest
import torch
from torch import Tensor

from recognizer.joint_embeddings import FourierCoordinates, JointMotion, JointPosture


def test_coordinates_are_waves_of_x_and_y() -> None:
    module = FourierCoordinates(8, octaves=3).double()
    keypoint = torch.tensor([0.3, 0.8, 0.5], dtype=torch.float64)
    angles = [position * math.pi / 2 * 2**octave for position in (0.3, 0.8) for octave in range(3)]
    waves = [*keypoint.tolist(), *map(math.sin, angles), *map(math.cos, angles)]
    expected = module.project(torch.tensor(waves, dtype=torch.float64))
    torch.testing.assert_close(module(keypoint.expand(2, 4, 13, 3)), expected.expand(2, 4, 13, 8))


def test_motion_is_the_displacement_from_frame_to_frame() -> None:
    module = JointMotion(8).double()
    position = torch.rand(2, 5, 13, 2, dtype=torch.float64)
    present = torch.ones(2, 5, 13, dtype=torch.bool)
    present[0, 2, 4] = False
    expected = torch.zeros(2, 5, 13, 8, dtype=torch.float64)
    for b in range(2):
        for t in range(5):
            for j in range(13):
                moved = []
                for first, second in ((t - 1, t), (t, t + 1)):
                    known = first >= 0 and second < 5 and present[b, first, j] and present[b, second, j]
                    moved.append((position[b, second, j] - position[b, first, j]) * 5 if known else torch.zeros(2))
                expected[b, t, j] = module.project(torch.cat(moved).double())
    torch.testing.assert_close(module(position, present), expected)
    torch.testing.assert_close(module(position[:, :1], present[:, :1]), module.project.bias.expand(2, 1, 13, 8))


def some_positions() -> tuple[Tensor, Tensor]:
    """Positions of two persons of 13 joints, and which are present: some of the second person's are missing."""
    torch.manual_seed(0)
    position = torch.rand(2, 5, 26, 2, dtype=torch.float64)
    present = torch.ones(2, 5, 26, dtype=torch.bool)
    present[0, 2, 13:] = False
    present[1, :, 20] = False
    return position, present


def test_posture_is_the_position_within_the_body() -> None:
    module = JointPosture(8).double()
    position, present = some_positions()
    expected = torch.zeros(2, 5, 26, 8, dtype=torch.float64)
    for b in range(2):
        for first in (0, 13):
            joints = [(t, j) for t in range(5) for j in range(first, first + 13) if present[b, t, j]]
            offset = {}
            for t, j in joints:
                body = [position[b, t, other] for frame, other in joints if frame == t]
                offset[t, j] = position[b, t, j] - torch.stack(body).mean(dim=0)
            size = torch.stack([away.square().sum() for away in offset.values()]).mean().sqrt()
            for t in range(5):
                for j in range(first, first + 13):
                    scaled = offset.get((t, j), torch.zeros(2)).double() / (4 * size)
                    expected[b, t, j] = module.embed(torch.cat([scaled, present[b, t, j][None].double()]))
    torch.testing.assert_close(module(position, present, 2), expected)


@pytest.mark.parametrize("share", [0.2, 3.0])
def test_posture_is_the_same_wherever_the_body_is_and_however_large(share: float) -> None:
    module = JointPosture(8).double()
    position, present = some_positions()
    moved = position * share + torch.rand(2, 5, 1, 2, dtype=torch.float64)
    torch.testing.assert_close(module(moved, present, 2), module(position, present, 2))


def test_posture_of_nobody_and_of_a_single_joint_is_that_of_the_middle() -> None:
    module = JointPosture(8)
    present = torch.zeros(1, 2, 13, dtype=torch.bool)
    nobody = module(torch.zeros(1, 2, 13, 2), present, 1)
    torch.testing.assert_close(nobody, module.embed(torch.zeros(1, 2, 13, 3)))
    present[:, :, 4] = True
    alone = module(torch.rand(1, 2, 1, 2).expand(1, 2, 13, 2), present, 1)
    assert alone.isfinite().all()
    torch.testing.assert_close(alone[:, :, 4], module.embed(torch.tensor([0.0, 0.0, 1.0])).expand(1, 2, 8))
