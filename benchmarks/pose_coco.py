"""How good are the pose stage's keypoints on COCO images, and how long do they take?

    python benchmarks/pose_coco.py FOLDER [--estimator NAME] [--weights FILE] [--flip-test] [--detector NAME]

FOLDER contains a COCO keypoint annotation file ``test_coco.json`` and its images. Without a detector the boxes are the
annotated ones, so the result depends only on the estimator and the top-down processing. The last line is
``AP … AP50 …``, over object keypoint similarity (OKS) as defined by COCO (https://cocodataset.org/#keypoints-eval), and
the CPU time of one thread: the shortest of several rounds.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package

from recognizer.skeletons import COCO17
from stages.devices import threads
from stages.plugins import build
from stages.pose.boxes import non_maximum_suppression
from stages.pose.crop_queue import CropQueue
from stages.pose.detectors import DETECTORS, Detector
from stages.pose.estimators import ESTIMATORS, Estimator, EstimatorSettings, TopDownEstimator, WholeImageEstimator
from stages.pose.similarity import agreement, sigmas

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
BEST = 20
"""Maximum number of estimates per image, best scores first."""


class Estimate(NamedTuple):
    keypoints: np.ndarray
    """R,3: x, y in pixels, score."""
    score: float


def similarity(estimate: np.ndarray, person: dict) -> float:
    """OKS between estimated keypoints R,3 and an annotated person.

    A person without a visible joint (ignored in the score) is matched by the distance to twice its box, as COCO does.
    """
    truth = np.array(person["keypoints"], dtype=float).reshape(-1, 3)
    visible = truth[:, 2] > 0
    if visible.any():
        offset = (estimate[:, :2] - truth[:, :2])[visible]
    else:
        x, y, width, height = person["bbox"]
        low, high = np.array([x - width, y - height]), np.array([x + 2 * width, y + 2 * height])
        offset = np.maximum(0, low - estimate[:, :2]) + np.maximum(0, estimate[:, :2] - high)
    sigma = sigmas(COCO17)[visible] if visible.any() else sigmas(COCO17)
    return agreement(offset, person["area"], sigma)


def matched(estimates: list[Estimate], people: list[dict], threshold: float) -> list[tuple[float, bool]]:
    """(score, correct) of an image's estimates, matched greedily; matches with an ignored person are left out."""
    people = sorted(people, key=_ignored)
    free = set(range(len(people)))
    results = []
    for estimate in sorted(estimates, key=lambda e: -e.score)[:BEST]:
        best, best_oks = None, threshold
        for i, person in enumerate(people):
            if i not in free or (best is not None and _ignored(person) and not _ignored(people[best])):
                continue
            oks = similarity(estimate.keypoints, person)
            if oks >= best_oks:
                best, best_oks = i, oks
        if best is None:
            results.append((estimate.score, False))
            continue
        if not people[best]["iscrowd"]:
            free.remove(best)
        if not _ignored(people[best]):
            results.append((estimate.score, True))
    return results


def _ignored(person: dict) -> bool:
    return bool(person["iscrowd"]) or person["num_keypoints"] == 0


def average_precision(
    estimates: dict[int, list[Estimate]], people: dict[int, list[dict]], thresholds: np.ndarray
) -> float:
    """Precision averaged over 101 recalls and over the OKS ``thresholds``."""
    count = sum(not _ignored(person) for image in people.values() for person in image)
    averages = []
    for threshold in thresholds:
        results = [hit for image in people for hit in matched(estimates[image], people[image], threshold)]
        results.sort(key=lambda hit: -hit[0])
        correct = np.cumsum([hit[1] for hit in results])
        precision = correct / np.arange(1, len(results) + 1)
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        place = np.searchsorted(correct / count, RECALLS, side="left")
        averages.append(np.append(precision, 0)[np.minimum(place, len(precision))].mean())
    return float(np.mean(averages))


def annotated(folder: Path) -> tuple[dict[int, np.ndarray], dict[int, list[dict]]]:
    """RGB images, and the people annotated in each, by the image's id."""
    annotations = json.loads((folder / "test_coco.json").read_text())
    people: dict[int, list[dict]] = defaultdict(list)
    for person in annotations["annotations"]:
        people[person["image_id"]].append(person)
    names = {image["id"]: str(folder / image["file_name"]) for image in annotations["images"]}
    images = {name: cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB) for name, path in names.items()}
    return images, people


def annotated_boxes(people: list[dict]) -> np.ndarray:
    """N,5: x1, y1, x2, y2 and a score, of the people whose joints are annotated."""
    boxes = [person["bbox"] for person in people if person["num_keypoints"]]
    return np.array([[x, y, x + width, y + height, 1] for x, y, width, height in boxes], float).reshape(-1, 5)


def estimate(
    images: dict[int, np.ndarray], boxes: dict[int, np.ndarray], estimator: TopDownEstimator, flip_test: bool
) -> dict[int, list[Estimate]]:
    """The skeletons in boxes N,5, by image. Their scores are the boxes' times the mean of the joints'."""
    keypoints = {image: np.zeros((len(found), COCO17.count, 3)) for image, found in boxes.items()}
    queue = CropQueue(estimator, estimator.cpu_batch, flip_test)
    for image, found in boxes.items():
        for box, target in zip(found, keypoints[image], strict=True):
            queue.add(str(image).encode(), images[image], box[:4], target)
    queue.run_all()
    return {
        image: [Estimate(one, box[4] * one[:, 2].mean()) for box, one in zip(found, keypoints[image], strict=True)]
        for image, found in boxes.items()
    }


def evaluate(
    folder: Path, estimator: Estimator, detector: Detector | None = None, flip_test: bool = False, min_score: float = 0
) -> tuple[float, float]:
    """AP and AP50 on the people annotated in ``folder``, in their annotated boxes or in those that a detector finds."""
    images, people = annotated(folder)
    if isinstance(estimator, WholeImageEstimator):
        found = dict(zip(images, estimator.people(list(images.values())), strict=True))
        estimates = {}
        for image, (boxes, keypoints) in found.items():
            kept = [i for i in non_maximum_suppression(boxes) if boxes[i, 4] >= min_score]
            estimates[image] = [Estimate(keypoints[i], boxes[i, 4]) for i in kept]
    else:
        assert isinstance(estimator, TopDownEstimator)
        if detector is None:
            boxes = {image: annotated_boxes(people[image]) for image in images}
        else:
            boxes = dict(zip(images, detector.detect(list(images.values())), strict=True))
        boxes = {image: found[found[:, 4] >= min_score] for image, found in boxes.items()}
        estimates = estimate(images, boxes, estimator, flip_test)
    return average_precision(estimates, people, THRESHOLDS), average_precision(estimates, people, THRESHOLDS[:1])


def milliseconds(work: Callable[[], object], count: int, rounds: int = 7) -> float:
    """CPU time of the work divided by ``count``, in the shortest of several rounds."""
    durations = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        durations.append(time.process_time() - start)
    return 1000 * min(durations) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="contains test_coco.json and its images")
    parser.add_argument("--estimator", default="onnx", help="a name, as in a manifest")
    parser.add_argument("--weights", type=Path, help="of the estimator; default: SimplePose next to the data")
    parser.add_argument("--input-size", type=int, nargs=2, help="height and width")
    parser.add_argument("--flip-test", action="store_true", help="average with the mirrored image")
    parser.add_argument("--detector", help="a name, as in a manifest; default: annotated boxes")
    parser.add_argument("--detector-weights", type=Path)
    parser.add_argument("--min-score", type=float, default=0, help="of detected people")
    options = parser.parse_args()
    weights = options.weights or options.folder / "../../../weights/simplepose/deploy.onnx"
    size = tuple(options.input_size) if options.input_size else None
    with threads(1):
        target = ESTIMATORS.get(options.estimator, options.estimator)
        estimator = build(target, "estimator", EstimatorSettings(weights.resolve(), size))
        detector = None
        if options.detector:
            target = DETECTORS.get(options.detector, options.detector)
            detector = build(target, "detector", options.detector_weights, "cpu")
        ap, ap50 = evaluate(options.folder, estimator, detector, options.flip_test, options.min_score)
        images = list(annotated(options.folder)[0].values())
        if isinstance(estimator, WholeImageEstimator):
            times = [f"{milliseconds(lambda: estimator.people(images), len(images)):.1f} ms a frame"]
        else:
            shown, people = annotated(options.folder)
            in_images = {image: annotated_boxes(there) for image, there in people.items()}
            count = sum(map(len, in_images.values()))
            spent = milliseconds(lambda: estimate(shown, in_images, estimator, options.flip_test), count)
            times = [f"{spent:.1f} ms a person"]
        if detector:
            times.append(f"{milliseconds(lambda: detector.detect(images), len(images)):.1f} ms a frame to detect")
    print(f"AP {ap:.3f} AP50 {ap50:.3f}, {', '.join(times)}")


if __name__ == "__main__":
    main()
