"""Trains ``hrnet_mini`` and its person detector on synthetic clips, and evaluates both on clips of another seed.

    python benchmarks/train_mini_pose.py                    # both, about 10 minutes on one core
    python benchmarks/train_mini_pose.py --measure          # only evaluates the weights in the package

All clips come from the generator; the demo's clips have other seeds. Held-out clips are written as H.264 and decoded
again. PCK@0.2 counts a joint as correct if its error is less than 0.2 times the torso's length (the longer diagonal
from a shoulder to the opposite hip); all joints inside the frame count, including hidden ones.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package

from recognizer.skeletons import COCO17
from stages.pose import mini_network as mini
from stages.pose.boxes import iou
from stages.pose.crops import crop, person_regions, to_frame, to_heatmap
from stages.pose.estimators import EstimatorSettings
from stages.pose.heatmaps import decode
from stages.pose.mini import WEIGHTS, HRNetMini, MiniDetector
from stages.synthetic.actions import ACTIONS
from stages.synthetic.clip import Clip, draw
from stages.synthetic.writing import Order, write

TRAINING_SEED, HELD_OUT_SEED = 7001, 9001
BATCH = 32


class Picture(NamedTuple):
    """A frame with its M people."""

    image: np.ndarray
    keypoints: np.ndarray  # M,17,3
    boxes: np.ndarray  # M,4


def drawn_pictures(seed: int, clips_per_class: int, every: int, encoded: bool = False) -> list[Picture]:
    """Every ``every``-th frame of clips of all classes; ``encoded``: after encoding and decoding."""
    pictures = []
    for action, number in product(ACTIONS, range(clips_per_class)):
        clip = Clip(seed, "train", action, number, 128)
        drawn = draw(clip)
        images = through_video(clip) if encoded else drawn.frames
        for t in range(number % every, len(images), every):
            pictures.append(Picture(images[t], drawn.keypoints[:, t], drawn.boxes[:, t]))
    return pictures


def through_video(clip: Clip) -> list[np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "clip.mp4"
        write(Order(clip, video, None))
        with av.open(str(video)) as container:
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def recolored(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure, color cast, blur and noise."""
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (3, 3), rng.uniform(0.3, 0.9))
    changed = image * rng.uniform(0.8, 1.2, 3).astype(np.float32) + np.float32(rng.uniform(-25, 25))
    if rng.random() < 0.3:
        changed += rng.normal(0, rng.uniform(1, 6), (*image.shape[:2], 1)).astype(np.float32)
    return changed.clip(0, 255).astype(np.uint8)


def gaussians(centers: np.ndarray, present: np.ndarray, size: tuple[int, int], sigma: float) -> np.ndarray:
    """Heatmaps R,h,w with a peak of 1 at each of the ``centers`` R,2 (x, y) that is ``present`` R."""
    y, x = np.arange(size[0])[None, :, None], np.arange(size[1])[None, None, :]
    squared = (x - centers[:, 0, None, None]) ** 2 + (y - centers[:, 1, None, None]) ** 2
    return (np.exp(-squared / (2 * sigma**2)) * present[:, None, None]).astype(np.float32)


def crop_batches(pictures: list[Picture], rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches of crops B,3,h,w and target heatmaps B,17,h/4,w/4, with boxes as imprecise as a detector's."""
    people = [(picture, m) for picture in pictures for m in range(len(picture.boxes))]
    size = (HRNetMini.input_size[0] // mini.STRIDE, HRNetMini.input_size[1] // mini.STRIDE)
    while True:
        crops, targets = [], []
        for i in rng.integers(len(people), size=BATCH):
            picture, m = people[i]
            low, high = picture.boxes[m, :2], picture.boxes[m, 2:]
            center = (low + high) / 2 + rng.uniform(-0.06, 0.06, 2) * (high - low)
            half = (high - low) / 2 * rng.uniform(0.85, 1.2)
            region = person_regions(np.concatenate([center - half, center + half])[None], HRNetMini.input_size)
            image = recolored(crop(picture.image, region[0], HRNetMini.input_size), rng)
            keypoints = picture.keypoints[m]
            places = to_heatmap(keypoints[None, :, :2], region, size)[0] * mini.STRIDE
            present = keypoints[:, 2]
            if rng.random() < 0.5:
                image = image[:, ::-1]
                places = (np.array([image.shape[1] - 1, 0]) + places * np.array([-1, 1]))[list(COCO17.flip)]
                present = present[list(COCO17.flip)]
            crops.append(image)
            targets.append(gaussians(places / mini.STRIDE, present, size, mini.SIGMA))
        yield mini.pixels(np.stack(crops), "cpu"), torch.from_numpy(np.stack(targets))


def heatmap_loss(output: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy between a Gaussian around the true position of a joint and its predicted distribution."""
    target = target.flatten(2) / (2 * np.pi * mini.SIGMA**2)
    target = torch.cat([target, (1 - target.sum(2, keepdim=True)).clamp(min=0)], 2)
    return -(target * mini.joint_probabilities(output).clamp(min=1e-8).log()).sum(2).mean()


def frame_batches(pictures: list[Picture], rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches of detector inputs B,3,128,128 and targets B,6,32,32: center heatmap, box distances, and a mask
    of the cells whose distances count."""
    cells = mini.DETECTOR_INPUT // mini.STRIDE
    rows, columns = np.mgrid[:cells, :cells]
    middles = (np.stack([columns, rows, columns, rows]) + 0.5) * mini.STRIDE - 0.5
    while True:
        images, targets = [], []
        for i in rng.integers(len(pictures), size=BATCH):
            picture = pictures[i]
            image, boxes = picture.image, picture.boxes
            if rng.random() < 0.5:  # people of other sizes and places
                grow = rng.uniform(0.75, 1.35)
                height, width = image.shape[:2]
                move = np.array([width, height]) * (1 - grow) * rng.uniform(0.2, 0.8, 2)
                to_view = np.array([[grow, 0, move[0]], [0, grow, move[1]]])
                image = cv2.warpAffine(image, to_view, (width, height), borderMode=cv2.BORDER_REPLICATE)
                boxes = (boxes * grow + np.tile(move, 2)).clip(-0.5, np.tile([width, height], 2) - 0.5)
            if rng.random() < 0.5:
                image = image[:, ::-1]
                boxes = boxes * [-1, 1, -1, 1] + [image.shape[1] - 1, 0, image.shape[1] - 1, 0]
                boxes = boxes[:, [2, 1, 0, 3]]
            scale = mini.DETECTOR_INPUT / max(image.shape[:2])
            boxes = (boxes + 0.5) * scale - 0.5
            centers = ((boxes[:, :2] + boxes[:, 2:]) / 2 + 0.5) / mini.STRIDE - 0.5
            heat = gaussians(np.round(centers), np.ones(len(boxes)), (cells, cells), 1.0)
            owner = heat.argmax(0)
            reach = (boxes[owner].transpose(2, 0, 1) - middles) * np.array([-1, -1, 1, 1])[:, None, None]
            reach = reach / (mini.DISTANCE_UNIT * mini.STRIDE)
            images.append(mini.fit_to_square(recolored(np.ascontiguousarray(image), rng)))
            targets.append(np.concatenate([heat.max(0)[None], reach, (heat.max(0) > 0.55)[None]]).astype(np.float32))
        yield mini.pixels(np.stack(images), "cpu"), torch.from_numpy(np.stack(targets))


def detection_loss(output: Tensor, target: Tensor) -> Tensor:
    """Penalty-reduced focal loss of the centers (Zhou et al. 2019, equation 1) and L1 of the boxes."""
    center, heat, counts = output[:, 0], target[:, 0], target[:, 5]
    probability = center.sigmoid()
    hit = (1 - probability) ** 2 * F.logsigmoid(center) * (heat == 1)
    miss = (1 - heat) ** 4 * probability**2 * F.logsigmoid(-center) * (heat < 1)
    people = (heat == 1).sum()
    distance = (output[:, 1:] - target[:, 1:5]).abs().sum(1) * counts
    return -(hit + miss).sum() / people + distance.sum() / counts.sum()


def train(
    model: mini.MiniHRNet,
    batches: Iterator[tuple[Tensor, Tensor]],
    loss_of: Callable[[Tensor, Tensor], Tensor],
    steps: int,
    file: Path,
) -> None:
    """One cycle of AdamW; the weights are saved every 100 steps."""
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps, pct_start=0.1)
    started, total = time.monotonic(), 0.0
    for step in range(1, steps + 1):
        inputs, targets = next(batches)
        loss = loss_of(model.train()(inputs.contiguous(memory_format=torch.channels_last)), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item()
        if step % 100 == 0 or step == steps:
            save(model, file)
            print(f"{file.stem} step {step} loss {total / 100:.4f} {time.monotonic() - started:.0f} s", flush=True)
            total = 0.0


def save(model: mini.MiniHRNet, file: Path) -> None:
    state = {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    file.parent.mkdir(exist_ok=True)
    temporary = file.with_suffix(".tmp")
    save_file({name: value.half().contiguous() for name, value in state.items()}, temporary)
    temporary.replace(file)


def torso_length(keypoints: np.ndarray) -> np.ndarray:
    """N,17,3 to N."""
    place = {name: keypoints[:, i, :2] for i, name in enumerate(COCO17.joints)}
    one = np.linalg.norm(place["left_shoulder"] - place["right_hip"], axis=1)
    other = np.linalg.norm(place["right_shoulder"] - place["left_hip"], axis=1)
    return np.maximum(one, other)


def correct_keypoints(pictures: list[Picture]) -> tuple[np.ndarray, np.ndarray]:
    """Which joints the packaged estimator finds, given true boxes, and which are inside the frame: bool N,17 each."""
    estimator = HRNetMini(EstimatorSettings())
    truth = np.concatenate([picture.keypoints for picture in pictures])
    regions = np.concatenate([person_regions(picture.boxes, estimator.input_size) for picture in pictures])
    owners = [picture.image for picture in pictures for _ in picture.boxes]
    found = []
    for start in range(0, len(truth), BATCH):
        part = slice(start, start + BATCH)
        crops = [
            crop(image, region, estimator.input_size) for image, region in zip(owners[part], regions[part], strict=True)
        ]
        heatmaps = estimator.heatmaps(np.stack(crops))
        found.append(to_frame(decode(heatmaps)[0], regions[part], heatmaps.shape[2:]))
    error = np.linalg.norm(np.concatenate(found) - truth[:, :, :2], axis=2)
    return error < 0.2 * torso_length(truth)[:, None], truth[:, :, 2] > 0


def detection_quality(pictures: list[Picture]) -> tuple[float, float]:
    """Recall and precision at an intersection over union of 0.5."""
    detector = MiniDetector(None, "cpu")
    hits = people = found = 0
    for picture, boxes in zip(pictures, detector.detect([picture.image for picture in pictures]), strict=True):
        overlap = iou(boxes, picture.boxes)
        matched = linear_sum_assignment(-overlap)
        hits += int((overlap[matched] >= 0.5).sum())
        people, found = people + len(picture.boxes), found + len(boxes)
    return hits / people, hits / max(found, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="do not train")
    parser.add_argument("--only", choices=["estimator", "detector"], help="train one of the two")
    parser.add_argument("--clips", type=int, default=70, help="training clips of each class")
    parser.add_argument("--steps", type=int, default=2000, help="optimizer steps of the estimator")
    parser.add_argument("--detector-steps", type=int, default=600)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)

    if not options.measure:
        pictures = drawn_pictures(TRAINING_SEED, options.clips, every=3)
        print(f"{len(pictures)} training frames", flush=True)
        if options.only != "estimator":
            batches = frame_batches(pictures, np.random.default_rng(1))
            file = WEIGHTS / "detector_mini.safetensors"
            train(mini.build_detector(), batches, detection_loss, options.detector_steps, file)
        if options.only != "detector":
            batches = crop_batches(pictures, np.random.default_rng(2))
            file = WEIGHTS / "hrnet_mini.safetensors"
            train(mini.build_estimator(), batches, heatmap_loss, options.steps, file)

    held_out = drawn_pictures(HELD_OUT_SEED, clips_per_class=8, every=4, encoded=True)
    recall, precision = detection_quality(held_out)
    correct, inside = correct_keypoints(held_out)
    for i, joint in enumerate(COCO17.joints):
        print(f"{joint:15} {correct[:, i][inside[:, i]].mean():.3f}")
    print(f"{len(held_out)} held-out frames with {len(correct)} people")
    print(f"detector: recall {recall:.3f} precision {precision:.3f} at IoU 0.5")
    print(f"PCK@0.2 {correct[inside].mean():.3f} of the torso")


if __name__ == "__main__":
    main()
