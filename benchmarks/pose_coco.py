"""How good are the pose stage's keypoints on COCO images?

    python benchmarks/pose_coco.py FOLDER [--weights MODEL.onnx] [--flip-test]

FOLDER contains a COCO keypoint annotation file ``test_coco.json`` and its images. The boxes are the annotated ones, so
the result depends only on the estimator and the top-down processing. The last line is ``AP … AP50 …``, over object
keypoint similarity (OKS) as defined by COCO (https://cocodataset.org/#keypoints-eval).
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package

from recognizer.skeletons import COCO17
from stages.pose.crop_queue import CropQueue
from stages.pose.estimators import EstimatorSettings
from stages.pose.onnx_model import OnnxModel

SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
"""How much annotators disagree on each joint, relative to the person's size."""
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
    sigma = SIGMAS[visible] if visible.any() else SIGMAS
    exponent = (offset**2).sum(1) / (2 * sigma) ** 2 / (person["area"] + np.spacing(1)) / 2
    return float(np.exp(-exponent).mean())


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


def evaluate(folder: Path, weights: Path, flip_test: bool = False) -> tuple[float, float]:
    """AP and AP50 of the ONNX model ``weights`` on the people annotated in ``folder``."""
    annotations = json.loads((folder / "test_coco.json").read_text())
    people: dict[int, list[dict]] = defaultdict(list)
    for person in annotations["annotations"]:
        people[person["image_id"]].append(person)

    keypoints = {person["id"]: np.zeros((COCO17.count, 3)) for image in people.values() for person in image}
    queue = CropQueue(OnnxModel(EstimatorSettings(weights)), batch=8, flip_test=flip_test)
    for image in annotations["images"]:
        frame = cv2.cvtColor(cv2.imread(str(folder / image["file_name"])), cv2.COLOR_BGR2RGB)
        for person in people[image["id"]]:
            x, y, width, height = person["bbox"]
            if person["num_keypoints"]:
                queue.add(
                    str(person["image_id"]).encode(),
                    frame,
                    np.array([x, y, x + width, y + height]),
                    keypoints[person["id"]],
                )
    queue.run_all()

    estimates = {
        image: [
            Estimate(keypoints[person["id"]], float(keypoints[person["id"]][:, 2].mean()))
            for person in persons
            if person["num_keypoints"]
        ]
        for image, persons in people.items()
    }
    return average_precision(estimates, people, THRESHOLDS), average_precision(estimates, people, THRESHOLDS[:1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="contains test_coco.json and its images")
    parser.add_argument("--weights", type=Path, help="a top-down ONNX model; default: SimplePose next to the data")
    parser.add_argument("--flip-test", action="store_true", help="average with the mirrored image")
    options = parser.parse_args()
    weights = options.weights or options.folder / "../../../weights/simplepose/deploy.onnx"
    ap, ap50 = evaluate(options.folder, weights.resolve(), options.flip_test)
    print(f"AP {ap:.3f} AP50 {ap50:.3f}")


if __name__ == "__main__":
    main()
