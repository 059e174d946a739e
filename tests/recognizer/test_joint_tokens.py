import math

import pytest
import torch
from torch import Tensor

from recognizer.joint_embeddings import FourierCoordinates, JointIdentity, JointMotion, JointPosture
from recognizer.joint_tokens import JointTokens, fourier_map, gather, gaussian


def gathered_by_loops(features: Tensor, keypoints: Tensor, sigma: float) -> Tensor:
    """Eq. 1 and 2 literally: from B,C,T,H,W and B,M,T,R,3 to B,T,M·R,C."""
    clips, channels, frames, height, width = features.shape
    persons, joints = keypoints.shape[1], keypoints.shape[3]
    tokens = torch.zeros(clips, frames, persons * joints, channels, dtype=torch.float64)
    for b in range(clips):
        for t in range(frames):
            for m in range(persons):
                for r in range(joints):
                    x, y = (keypoints[b, m, t, r, :2] * torch.tensor([width, height]) - 0.5).tolist()
                    for j in range(height):
                        for i in range(width):
                            heat = math.exp(-((i - x) ** 2 + (j - y) ** 2) / (2 * sigma**2))
                            tokens[b, t, m * joints + r] += heat * features[b, :, t, j, i]
    return tokens


def some_keypoints(persons: int = 2, frames: int = 2, joints: int = 13, clips: int = 2) -> Tensor:
    return torch.rand(
        clips, persons, frames, joints, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


def test_gather_is_equations_1_and_2() -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 3, 2, 5, 7, dtype=torch.float64)
    keypoints = some_keypoints(joints=3)
    flat = keypoints.transpose(1, 2).flatten(2, 3)
    fast = gather(features, gaussian(flat[..., 1], 5, 1.3), gaussian(flat[..., 0], 7, 1.3))
    torch.testing.assert_close(fast, gathered_by_loops(features, keypoints, 1.3))


def test_a_map_without_frames_is_used_for_all_frames() -> None:
    features = fourier_map(8, 5, 7).double()
    flat = some_keypoints(joints=3).transpose(1, 2).flatten(2, 3)
    rows, columns = gaussian(flat[..., 1], 5, 1.3), gaussian(flat[..., 0], 7, 1.3)
    torch.testing.assert_close(
        gather(features, rows, columns), gather(features[None, :, None].expand(2, -1, 2, -1, -1), rows, columns)
    )


def test_heatmap_peaks_at_the_joint() -> None:
    pixel_centers = (torch.arange(8) + 0.5) / 8
    assert gaussian(pixel_centers, 8, 0.7).argmax(dim=-1).tolist() == list(range(8))
    torch.testing.assert_close(gaussian(pixel_centers, 8, 0.7).diagonal(), torch.ones(8))


def test_sigma_scales_with_the_shorter_side() -> None:
    module = JointTokens(4, 16, sigma=2.0)
    features = torch.randn(1, 4, 1, 56, 84)
    keypoints = some_keypoints(1, 1, 1, clips=1).float()
    keypoints[..., 2] = 1
    expected = gathered_by_loops(features.double(), keypoints.double(), 1.0).float()
    torch.testing.assert_close(module(features, keypoints)[0], module.norm(module.project(expected)))


@pytest.mark.parametrize("joints,persons,frames", [(13, 1, 1), (17, 2, 3), (25, 2, 4), (50, 3, 1)])
def test_shapes(joints: int, persons: int, frames: int) -> None:
    identity = JointIdentity(2, joints, 16)
    module = JointTokens(4, 16, 2.0, FourierCoordinates(16), JointMotion(16), JointPosture(16), identity)
    tokens, present = module(torch.randn(2, 4, frames, 12, 20), some_keypoints(persons, frames, joints))
    assert tokens.shape == (2, frames, persons * joints, 16)
    assert present.shape == (2, frames, persons, joints)
    assert tokens.isfinite().all()


@pytest.mark.parametrize("places", [False, True])
def test_permuting_persons_permutes_tokens(places: bool) -> None:
    embeddings = (FourierCoordinates(16), JointMotion(16), JointPosture(16), JointIdentity(2, 13, 16))
    module = JointTokens(4, 16, 2.0, *embeddings if places else ())
    features, keypoints = torch.randn(2, 4, 2, 9, 9), some_keypoints(persons=3)
    tokens = module(features, keypoints)[0].unflatten(2, (3, 13))
    swapped = module(features, keypoints[:, [2, 0, 1]])[0].unflatten(2, (3, 13))
    torch.testing.assert_close(swapped, tokens[:, :, [2, 0, 1]])


def test_the_coordinates_of_a_missing_joint_do_not_matter() -> None:
    module = JointTokens(4, 16, 2.0, FourierCoordinates(16), JointMotion(16), JointPosture(16))
    features, keypoints = torch.randn(2, 4, 2, 9, 9), some_keypoints()
    keypoints[:, 1, :, :4, 2] = 0
    elsewhere = keypoints.clone()
    elsewhere[:, 1, :, :4, :2] = torch.tensor([math.nan, 1e9], dtype=torch.float64)
    tokens, present = module(features, keypoints)
    torch.testing.assert_close(module(features, elsewhere)[0], tokens, rtol=0, atol=0)
    assert not present.flatten(2)[:, :, 13:17].any() and present.flatten(2)[:, :, :13].all()


def test_half_precision_keypoints() -> None:
    module = JointTokens(4, 16, 2.0)
    features, keypoints = torch.randn(2, 4, 2, 9, 9), some_keypoints()
    tokens = module(features, keypoints.half())[0]
    torch.testing.assert_close(tokens, module(features, keypoints)[0], rtol=0, atol=0.05)


def test_another_number_of_joints_than_learned_is_an_error() -> None:
    module = JointTokens(4, 16, 2.0, identity=JointIdentity(2, 17, 16))
    with pytest.raises(ValueError, match="knows 17 joints per person, but the skeletons have 13"):
        module(torch.randn(2, 4, 2, 9, 9), some_keypoints())


def test_fourier_map_tells_places_apart() -> None:
    places = fourier_map(16, 8, 8).flatten(1).T
    distance = torch.cdist(places, places) + torch.eye(64) * 9
    assert distance.min() > 0.1
