"""How many joints the pose stage finds in the videos of Florence 3D Actions, into which the Kinect's joints are drawn.

    python benchmarks/pose_florence.py FOLDER --pose '{estimator: movenet_thunder, detector: nanodet, min_score: 0.3}'

The drawn discs, yellow or red, are the truth: an estimated joint (of COCO's without the face) is right if there is a
disc within a tenth of the person's height (PCK). Which disc is which joint is not known, the Kinect errs as well, and
an estimator sees the discs: the figure serves to compare settings. A frame is *lost* if less than 4 of the 12 joints of
the best person are right. The CPU time is that of decoding and of the pose stage, in one thread.
"""

import argparse
import re
import sys
import time
from collections import defaultdict
from pathlib import Path

import av
import cv2
import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "plugins"))  # an example of a detector
sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package

from stages.pose.stage import Pose
from stages.sources.videos import Videos
from stages.video.stage import Decode

NEAR = 0.1
"""Of the height of the person."""
LEAST, MOST = 25, 400
"""Pixels of a disc."""
PARTITION = 20
"""Clips at a time, as in a run."""


def discs(image: np.ndarray) -> np.ndarray:
    """Middles N,2 (x, y) of the yellow and red discs in an RGB image."""
    r, g, b = image.astype(int).transpose(2, 0, 1)
    yellow, red = (r > 190) & (g > 190) & (b < 110) & (r - b > 110), (r > 170) & (g < 90) & (b < 90)
    found = []
    for mask in (yellow, red):
        count, _, about, middles = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
        found += [middles[i] for i in range(1, count) if LEAST <= about[i, cv2.CC_STAT_AREA] <= MOST]
    return np.array(found).reshape(-1, 2)


def right(keypoints_MR3: np.ndarray, truth_N2: np.ndarray) -> np.ndarray:
    """bool 12: which joints of the best person (x, y in pixels) are near a disc."""
    best = np.zeros(12, bool)
    for joints in keypoints_MR3[:, 5:]:
        distances = np.linalg.norm(joints[:, None, :2] - truth_N2, axis=2).min(1)
        hits = (distances < NEAR * np.ptp(truth_N2[:, 1])) & (joints[:, 2] > 0)
        best = max(best, hits, key=np.sum)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pose", required=True, help="parameters of the pose stage, in YAML")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--step", type=int, default=1, help="takes every so many videos")
    options = parser.parse_args()
    stage, decode = Pose.model_validate(yaml.safe_load(options.pose)), Decode(frames=options.frames)
    clips = Videos(root=options.folder).clips()
    clips = clips.take(list(range(0, len(clips), options.step)))
    loaded = stage.load({})
    correct: defaultdict[str, list[bool]] = defaultdict(list)
    lost: defaultdict[str, list[bool]] = defaultdict(list)
    spent, people = 0.0, 0
    for start in range(0, len(clips), PARTITION):
        some = clips.slice(start, PARTITION)
        begin = time.process_time()
        frames = decode.process(some, {}, None)
        rows = stage.process(some, {"frames": frames}, loaded).to_pylist()
        spent += time.process_time() - begin
        for path, row, shown in zip(some["path"].to_pylist(), rows, frames.to_pylist(), strict=True):
            (category,) = re.findall(r"category(\d)", path)
            shape = row["persons"] or 0, options.frames, 17, 3
            keypoints = np.frombuffer(row["keypoints"] or b"", np.float16).reshape(shape).astype(float)
            people += int(keypoints[..., 2].any(2).sum())
            with av.open(path) as container:
                truth = [discs(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
            for t, number in enumerate(shown["indices"]):
                if len(truth[number]) >= 8:
                    pixels = keypoints[:, t] * [shown["source_width"], shown["source_height"], 1]
                    hits = right(pixels, truth[number])
                    correct[category] += hits.tolist()
                    lost[category].append(hits.sum() < 4)
    for category in sorted(correct):
        print(f"category {category}: PCK {np.mean(correct[category]):.3f}, lost {np.mean(lost[category]):.3f}")
    joints = [hit for hits in correct.values() for hit in hits]
    gone = [one for frames in lost.values() for one in frames]
    print(f"PCK {np.mean(joints):.4f}, lost {np.mean(gone):.4f} of {len(gone)} frames")
    print(f"{people} skeletons in {len(clips)} clips of {options.frames} frames; {spent:.0f} s of CPU time")


if __name__ == "__main__":
    main()
