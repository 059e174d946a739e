"""Views of a clip: which frames, which square crop, mirrored or not. They are random in training and fixed at test.

A view changes frames and skeletons together, so that a joint stays on the pixel where it was found.
"""

from typing import NamedTuple

import cv2
import numpy as np

from recognizer.skeletons import layout
from stages.cache.crops import Crop, zero_invisible
from stages.cache.shards import Sample
from stages.frame_sampling import sample_frames
from stages.train.recipe import Augmentation


class View(NamedTuple):
    """One way to see a clip. The crop is given in fractions of the frame."""

    frames: tuple[int, ...]
    """Indices of the frames, in order."""
    left: float = 0.0
    top: float = 0.0
    side: float = 1.0
    angle: float = 0.0
    """Clockwise rotation about the center of the crop, in degrees."""
    flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    turn: float = 0.0
    """Rotation of people about the vertical axis, in degrees."""


def random_view(augmentation: Augmentation, rng: np.random.Generator, count: int, wanted: int) -> View:
    """A random view, for training, of a clip of ``count`` frames, of which the network sees ``wanted``."""
    span = 1 - augmentation.speed * rng.random()
    start = (1 - span) * rng.random()
    frames = tuple(sample_frames(count, wanted, rng.random(wanted) if augmentation.jitter else 0.5, start, span))
    side = rng.uniform(*augmentation.scale)
    left, top = (1 - side) * rng.random(2)
    angle = rng.uniform(-1, 1) * augmentation.rotation
    flip = augmentation.flip and bool(rng.random() < 0.5)
    brightness, contrast = rng.uniform(-1, 1, 2) * (augmentation.brightness, augmentation.contrast)
    turn = rng.uniform(-1, 1) * augmentation.turn if augmentation.turn else 0.0
    return View(frames, left, top, side, angle, flip, brightness, contrast, turn)


def fixed_views(count: int, wanted: int, views: int, side: float, flip: bool) -> list[View]:
    """Up to ``views`` different views for test: first the middle frames of all segments, then earlier and later ones;
    each also mirrored if ``flip``.

    side: of the center crop, as a fraction of the frame.
    """
    corner = (1 - side) / 2
    mirrors = (False, True) if flip and views > 1 else (False,)
    times = -(-views // len(mirrors))
    grid = times + 1 - times % 2  # odd, so that the middle is one of the phases
    phases = sorted(((i + 0.5) / grid for i in range(grid)), key=lambda phase: abs(phase - 0.5))[:times]
    different = dict.fromkeys(
        View(tuple(sample_frames(count, wanted, phase)), corner, corner, side, flip=mirror)
        for phase in phases
        for mirror in mirrors
    )
    return list(different)[:views]


def apply_view(sample: Sample, view: View, size: int, layout_name: str) -> Sample:
    """The sample as the view shows it, with frames of ``size`` by ``size`` pixels."""
    frames, keypoints, chosen = sample.frames, sample.keypoints, list(view.frames)
    edge = 1 if frames is None else frames.shape[1]
    crop = Crop(view.left * edge, view.top * edge, view.side * edge)
    if frames is not None:
        crop = crop.on_pixels()
        frames = np.stack([rotate_image(crop.frame(frames[i], size), view.angle) for i in chosen])
        if view.brightness or view.contrast:
            frames = adjust_colors(frames, view.brightness, view.contrast)
        if view.flip:
            frames = frames[:, :, ::-1]
    if keypoints is not None:
        turned = turn_people(keypoints[:, chosen], view.turn)
        keypoints = rotate_keypoints(crop.keypoints(turned, edge, edge), view.angle)
        if view.flip:
            keypoints = mirror_keypoints(keypoints, layout_name)
    return Sample(sample.clip_id, frames, keypoints)


def rotate_image(image_SS3: np.ndarray, angle: float) -> np.ndarray:
    """The square image rotated clockwise about its center by ``angle`` degrees; uncovered corners are black."""
    if not angle:
        return image_SS3
    size = len(image_SS3)
    matrix = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), -angle, 1.0)
    return cv2.warpAffine(image_SS3, matrix, (size, size))


def rotate_keypoints(keypoints_MTR3: np.ndarray, angle: float) -> np.ndarray:
    """The skeletons of an image that ``rotate_image`` has rotated; joints that leave it are missing."""
    if not angle:
        return keypoints_MTR3
    keypoints = keypoints_MTR3.copy()
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    keypoints[..., :2] = (keypoints[..., :2] - 0.5) @ np.array([[cos, sin], [-sin, cos]], np.float32) + 0.5
    return zero_invisible(keypoints)


def turn_people(keypoints_MTR3: np.ndarray, angle: float) -> np.ndarray:
    """People who are seen from the front and from the side, by turns, rotated about the vertical axis in their middle.

    What is right in one picture is depth in the other. A joint that is missing in either is missing in both.
    """
    if not angle:
        return keypoints_MTR3
    keypoints = keypoints_MTR3.copy()
    front_NTR3, side_NTR3 = keypoints[0::2], keypoints[1::2]
    x_NTR, z_NTR = front_NTR3[..., 0] - 0.5, side_NTR3[..., 0] - 0.5
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    front_NTR3[..., 0], side_NTR3[..., 0] = cos * x_NTR - sin * z_NTR + 0.5, sin * x_NTR + cos * z_NTR + 0.5
    missing_NTR = (front_NTR3[..., 2] <= 0) | (side_NTR3[..., 2] <= 0)
    front_NTR3[missing_NTR] = side_NTR3[missing_NTR] = 0
    return keypoints


def mirror_keypoints(keypoints_MTR3: np.ndarray, layout_name: str) -> np.ndarray:
    """The skeletons of a mirrored image: x becomes 1 - x, and left and right joints are swapped."""
    swapped = keypoints_MTR3[..., list(layout(layout_name).flip), :]
    swapped[..., 0] = 1 - swapped[..., 0]
    return zero_invisible(swapped)


def adjust_colors(frames: np.ndarray, brightness: float, contrast: float) -> np.ndarray:
    """Frames, uint8 T,H,W,3, with pixels scaled by ``1 + contrast`` about mid-gray and shifted by ``brightness``."""
    values = (np.arange(256) / 255 - 0.5) * (1 + contrast) + 0.5 + brightness
    table = np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
    return cv2.LUT(frames.reshape(-1, frames.shape[2], 3), table).reshape(frames.shape)


def jitter_joints(sample: Sample, augmentation: Augmentation, rng: np.random.Generator) -> Sample:
    """The sample with noise added to its joints' coordinates and some joints dropped."""
    if sample.keypoints is None:
        return sample
    keypoints = sample.keypoints.copy()
    positions = keypoints[..., :2]
    positions += augmentation.joint_noise * rng.standard_normal(positions.shape, np.float32)
    keypoints[..., 2] *= rng.random(keypoints.shape[:-1], np.float32) >= augmentation.joint_drop
    return sample._replace(keypoints=zero_invisible(keypoints))
